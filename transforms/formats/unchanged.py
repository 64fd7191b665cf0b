"""Whether a file is still what it was when the run was planned: looked at before its rows are read, and behind them."""

from collections.abc import Iterator
from dataclasses import replace

from pyarrow import Schema

from configs.errors import InputError
from storage import inputs
from storage.input_version import is_folder_version, without_reading
from transforms.batches import RawBatch, WorkUnit
from transforms.formats.changed import refuse_changed, refuse_unreadable
from transforms.formats.format import no_rows, number_rows


def check_unchanged(unit: WorkUnit) -> None:
    """Refuse a file that is not what it was when the plan was made.

    Raises:
        InputError: it changed, is gone, or cannot be looked at.
    """
    # Each of its files is looked at when it is read.
    if is_folder_version(unit.version):
        return
    try:
        version = inputs.read_version(unit.shard)
    # Retried already, where it may pass.
    except OSError as error:
        raise refuse_unreadable(unit, error) from error
    if version != without_reading(unit.version):
        raise refuse_changed(unit)


def mark_last(
    unit: WorkUnit,
    schema: Schema,
    batches: Iterator[RawBatch],
) -> Iterator[RawBatch]:
    """Yield batches, one behind, of a file whose end alone tells which of them is the last.

    Args:
        unit: the unit.
        schema: of its rows; where it has none, one batch without rows comes.
        batches: its rows; none of them is marked.

    Raises:
        InputError: they cannot be read.
    """
    before: RawBatch | None = None
    try:
        for batch in batches:
            if before is not None:
                yield before
            before = batch
    except InputError:
        # A file that was replaced on the way explains any other complaint about it.
        check_unchanged(unit)
        # It was read whole, and is not lost with what comes behind it.
        if before is not None:
            yield before
        raise
    if before is None:
        yield number_rows(unit, no_rows(schema), 0, last=True)
    else:
        yield replace(before, last=True)
