"""Small shards are read at once, and are of one version: the one that was planned, or refused."""

from collections.abc import Iterator
from contextlib import contextmanager

from storage.input_version import find_size, without_reading
from storage.inputs import read_whole
from storage.kept_in_memory import kept_in_memory
from transforms.batches import WorkUnit
from transforms.formats.changed import refuse_changed, refuse_unreadable

# A store gives as much in the time that a request takes.
_SMALL_BYTES = 1 << 20


@contextmanager
def hold_small(unit: WorkUnit) -> Iterator[bool]:
    """Hold a unit's shard in memory while the block runs, if it is small; tell whether it is held.

    Raises:
        InputError: it is not what it was when the plan was made, or cannot be read.
    """
    size_bytes = find_size(unit.version)
    # Of an empty file there is nothing to ask for.
    if not size_bytes or size_bytes > _SMALL_BYTES:
        yield False
        return
    try:
        whole = read_whole(unit.shard, size_bytes)
    except FileNotFoundError as error:
        raise refuse_changed(unit) from error
    # Retried already, where it may pass.
    except OSError as error:
        raise refuse_unreadable(unit, error) from error
    if whole is None:
        yield False
        return
    if whole.version != without_reading(unit.version):
        raise refuse_changed(unit)
    with kept_in_memory(unit.shard, whole.content):
        yield True
