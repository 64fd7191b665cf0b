"""Look into very many files, some at a time: in threads, where a disk or a store keeps one waiting."""

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from storage.few_ahead import map_few_ahead, map_while_quick, take_some

T = TypeVar("T")
R = TypeVar("R")

# A store answers in tens of milliseconds; a disk is busy with fewer.
_THREADS = 8
# What a thread looks into before it asks for more: to hand over one takes as long.
_FILES_AT_ONCE = 32
# So long they take where a disk waits for nothing, three times over.
_QUICK_SECONDS = 0.008


def map_some(
    look: Callable[[list[T]], R],
    files_here: Iterable[T],
    on_disk: bool,
) -> Generator[R]:
    """Yield what looking into some files has told, in the order of the files.

    Args:
        look: looks into some files, one after the other.
        files_here: asked for as they are needed.
        on_disk: whether they are of a disk, and not of a store.
    """
    some = take_some(files_here, _FILES_AT_ONCE)
    if on_disk:
        return map_while_quick(look, some, _THREADS, _QUICK_SECONDS)
    return map_few_ahead(look, some, _THREADS)
