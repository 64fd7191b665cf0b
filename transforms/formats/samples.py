"""Where rows are looked at, of a file that a run does not cut: a dry run sees some of its middle."""

from typing import Protocol, runtime_checkable

from transforms.formats.format import Format, Piece, Shard


@runtime_checkable
class CutsForSamples(Protocol):
    """A format that can find rows in the middle of a file which it does not cut for a run."""

    def split_for_sample(self, shard: Shard) -> list[Piece]:
        """Return pieces of a shard; none where nobody knows where in it a row begins.

        Raises:
            InputError: the shard cannot be read.
        """


def split_for_sample(format: Format, shard: Shard) -> list[Piece]:
    """Return pieces of a shard, cut so that some of its rows can be looked at; none where it is not.

    Args:
        format: how the shard is read.
        shard: of unknown rows.
    """
    if isinstance(format, CutsForSamples):
        return format.split_for_sample(shard)
    return []
