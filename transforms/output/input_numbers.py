"""The numbers of input files: their places in the list that a plan and a manifest hold of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

# An input file as the plan and the manifest list it.
Shard: TypeAlias = Mapping[str, Any]


class InputNumbers:
    """Finds inputs by URL, nearly always the same one again or one behind it, as units have them.

    So nothing is kept of a million of them; what stands before is found by beginning anew.
    """

    def __init__(self, inputs: Sequence[Shard]) -> None:
        self._inputs = inputs
        self._ahead = _iterate(inputs)
        self._last: tuple[str | None, int] = (None, -1)

    def find(self, url: str) -> int:
        """Return the number of an input.

        Raises:
            KeyError: there is none of this URL.
        """
        last_url, last_number = self._last
        if url == last_url:
            return last_number
        for _ in ("ahead", "from the first one"):
            for found, number in self._ahead:
                if found == url:
                    self._last = (found, number)
                    return number
            self._ahead = _iterate(self._inputs)
        raise KeyError(url)


def _iterate(inputs: Sequence[Shard]) -> Iterator[tuple[str, int]]:
    for number, entry in enumerate(inputs):
        yield entry["url"], number
