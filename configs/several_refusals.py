"""Several input files that are refused, in one line: each by name, and each reason once."""

from collections.abc import Sequence
from typing import NamedTuple

from configs.errors import InputError
from configs.joined_words import join_some

# Whoever mends so many looks at the others, too; and a line must be read.
MOST_REFUSED = 20
# Of files with the same reason.
_NAMED = 5


class RefusedFile(NamedTuple):
    """A file, and why it is refused."""

    url: str
    error: InputError


def refuse_all(refused: Sequence[RefusedFile], is_all: bool = True) -> InputError:
    """Return the one error that names all files; of a single file its own.

    Args:
        refused: the files, at least one, in the order in which they are told.
        is_all: whether every other file was looked at, too.
    """
    if len(refused) == 1 and is_all:
        return refused[0].error
    count = len(refused)
    how_many = f"{count}" if is_all else f"at least {count}"
    return InputError(f"{how_many} input files cannot be scored: {list_reasons(refused)}")


def list_reasons(refused: Sequence[RefusedFile]) -> str:
    """Return why files are refused, each reason once, with the names of those that it is of."""
    by_reason: dict[str, list[RefusedFile]] = {}
    for file in refused:
        # Mostly a message begins with the file's name.
        reason = str(file.error).removeprefix(file.url)
        alike = by_reason.setdefault(reason, [])
        alike.append(file)
    told = [_tell(alike) for alike in by_reason.values()]
    return "; ".join(told)


def _tell(alike: Sequence[RefusedFile]) -> str:
    """Return what is said of files with the same reason: the whole message of the first one."""
    first, *others = alike
    message = str(first.error)
    if not others:
        return message
    urls = [file.url for file in others]
    shown = join_some(urls, _NAMED)
    return f"{message} (the same of {shown})"
