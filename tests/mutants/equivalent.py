"""The checked-in list of mutations that change nothing that anybody could observe.

One line each, `file ~ place ~ before -> after ~ why`, as a survivor is reported; a `#` begins a
comment. Lines of code may shift; a line here that fits no mutation any more is an error, so that
the list says what is true.
"""

from collections.abc import Iterable
from pathlib import Path

from tests.mutants.mutations import Mutation

LIST = Path(__file__).with_name("equivalent.txt")
_SEPARATOR = " ~ "


def read_list(path: Path = LIST) -> dict[str, str]:
    """Return why, by the name of each mutation."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return dict(_parsed(line) for line in lines if line and not line.startswith("#"))


def stale(listed: Iterable[str], mutations: Iterable[Mutation]) -> list[str]:
    """Return the lines that fit no mutation."""
    names = {mutation.name for mutation in mutations}
    return [name for name in listed if name not in names]


def _parsed(line: str) -> tuple[str, str]:
    name, separator, why = line.rpartition(_SEPARATOR)
    if not separator or name.count(_SEPARATOR) != 2 or not why:
        raise ValueError(f"must be file ~ place ~ before -> after ~ why, got {line!r}")
    return name, why
