"""ORC as input: stripes, and rows in the run's schema."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
from pyarrow import DataType, RecordBatch, Schema
import pyarrow.orc as paorc

from configs.errors import InputError
from storage import files
from storage.input_file import InputFile
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.cast_rows import cast_slices
from transforms.formats.column import Column
from transforms.formats.columns import check_columns
from transforms.formats.format import (
    InputOptions,
    Piece,
    Shard,
    group_parts,
    no_rows,
    number_rows,
)
from transforms.formats.orc_footer import (
    check_postscript,
    check_types,
    count_decoded_bytes,
    find_tail,
    list_stripe_rows,
    read_footer,
)
from transforms.formats.orc_lists import has_lists, read_stripes
from transforms.formats.read_failures import explain_failure, find_way_out, is_out_of_reach
from transforms.formats.stored_parts import skip_part

# A bomb is more than this much, decoded, and more than so many times the size of its file.
_BOMB_BYTES = 1 << 30
_MAX_EXPANSION = 1_000
# What pyarrow and the system raise of a broken file.
_FAILURES = (OSError, pa.ArrowException, UnicodeDecodeError, OverflowError)
# Of a value of a type without a fixed width, at least.
_LEAST_BITS = 1


class _Footer(NamedTuple):
    """What a footer says.

    Attributes:
        decoded_bytes: what all columns come to, as far as it says.
        stripe_rows: of each stripe.
    """

    decoded_bytes: int
    stripe_rows: tuple[int, ...]


@dataclass(frozen=True)
class OrcFormat:
    """Read ORC; the span of a unit is (first stripe, number of stripes).

    Attributes:
        max_expansion: how many times its stored size a file may hold, decoded.
    """

    max_expansion: int = _MAX_EXPANSION
    needs_types: ClassVar[bool] = False

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Read the footer; see `Format.inspect`."""
        url = file.url
        with _open(url) as stored:
            told = _read_footer(url, stored)
            schema = stored.schema
            check_columns(url, schema, wanted)
            self._refuse_bomb(file, stored, told.decoded_bytes)
        counts = told.stripe_rows
        rows = sum(counts)
        if rows != stored.nrows or len(counts) != stored.nstripes:
            raise InputError(
                f"{url}: its footer promises {stored.nrows} rows, but its stripes hold {rows}; "
                "replace the file"
            )
        return Shard(file, rows, counts), schema.remove_metadata()

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Put stripes together, up to `rows` rows; one that has more stays whole."""
        counts: tuple[int, ...] = shard.details
        # Stripes are about equally large.
        stripe_bytes = shard.file.bytes // max(1, len(counts))
        sizes = [(count, stripe_bytes) for count in counts]
        return group_parts(sizes, rows, shard.file.bytes)

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's stripes; see `Format.read`."""
        total = unit.rows or 0
        done = 0
        # A unit without rows gives one batch without rows.
        if total == 0:
            yield number_rows(unit, no_rows(schema), 0, last=True)
            return
        first, count = unit.span
        names = list(schema.names)
        numbers = range(first, first + count)
        with _open(unit.shard, is_looked_at=True) as stored:
            for stripe in _read_stripes(unit.shard, stored, numbers, names):
                yield from cast_slices(unit, stripe, done, schema, rows_per_batch, record)
                done += stripe.num_rows
        if done != total:
            raise InputError(
                f"{unit.shard}: {total} rows were counted from row {unit.first_row} on, "
                f"but there are {done}; replace the file"
            )

    def find_rest(self, unit: WorkUnit, rows_done: int) -> WorkUnit | None:
        """Return the stripes behind the one that cannot be read; see `FindsRest`."""
        first, count = unit.span
        with _open(unit.shard) as stored:
            told = _read_footer(unit.shard, stored)
        return skip_part(unit, told.stripe_rows[first : first + count], rows_done)

    def _refuse_bomb(self, file: InputFile, stored: Any, told_bytes: int) -> None:
        bits = [_count_bits(field.type) for field in stored.schema]
        # Statistics may be left out, and the number of rows may not.
        least_bytes = stored.nrows * sum(bits) // 8
        decoded_bytes = max(least_bytes, told_bytes)
        limit = max(_BOMB_BYTES, self.max_expansion * file.bytes)
        if decoded_bytes > limit:
            raise InputError(
                f"{file.url}: its columns come to more than {self.max_expansion:,} times its size "
                "and more than 1 GiB, so it may be a bomb; if it is not, raise source.max_expansion"
            )


def _read_stripes(
    url: str,
    stored: Any,
    numbers: range,
    names: Sequence[str],
) -> Iterator[RecordBatch]:
    """Yield stripes, with the wanted columns alone."""
    if has_lists(stored.schema, names):
        yield from read_stripes(url, stored, numbers, names)
        return
    for number in numbers:
        yield stored.read_stripe(number, columns=names).select(names)


def make_orc_format(options: InputOptions) -> OrcFormat:
    """Return the format with a job's options."""
    return OrcFormat(options.max_expansion or _MAX_EXPANSION)


def _count_bits(dtype: DataType) -> int:
    try:
        return dtype.bit_width
    except ValueError:
        return _LEAST_BITS


def _check_postscript(url: str, file: Any) -> None:
    """Refuse a file of which Arrow would end the process."""
    try:
        check_postscript(file)
    except ValueError as error:
        raise _refuse_postscript(url) from error


def _check_types(url: str, file: Any) -> None:
    """Refuse a file whose types end the process in Arrow, also where it is but opened."""
    try:
        tail = find_tail(file)
    except (IndexError, ValueError) as error:
        raise _refuse_postscript(url) from error
    # Of an empty file, and of one that is no ORC, Arrow tells.
    if tail is None or not 0 < tail.file_footer_length < tail.file_length:
        return
    try:
        check_types(read_footer(file, tail))
    # A number where a message should be is no text.
    except (TypeError, ValueError, OSError) as error:
        raise _refuse_footer(url) from error
    finally:
        file.seek(0)


def _read_footer(url: str, stored: Any) -> _Footer:
    with files.open_read(url) as file:
        try:
            footer = read_footer(file, stored)
            return _Footer(count_decoded_bytes(footer), tuple(list_stripe_rows(footer)))
        # A number where a message should be is no text.
        except (TypeError, ValueError) as error:
            raise _refuse_footer(url) from error


def _refuse_postscript(url: str) -> InputError:
    return InputError(f"{url}: cannot be read as ORC: its postscript is broken; replace the file")


def _refuse_footer(url: str) -> InputError:
    return InputError(f"{url}: cannot be read as ORC: its footer is broken; replace the file")


@contextmanager
def _open(url: str, is_looked_at: bool = False) -> Iterator[Any]:
    """Open a file, and refuse it where it cannot be read.

    Args:
        url: the file.
        is_looked_at: whether its types were looked at, which takes longer than to open it.
    """
    try:
        with files.open_read(url) as file:
            _check_postscript(url, file)
            if not is_looked_at:
                _check_types(url, file)
            yield paorc.ORCFile(pa.PythonFile(file, mode="r"))
    except _FAILURES as error:
        # Arrow's words may quote what stands in the file.
        reason = type(error).__name__
        if is_out_of_reach(error):
            reason = explain_failure(error, url)
        raise InputError(
            f"{url}: cannot be read as ORC: {reason}; {find_way_out(error)}"
        ) from error
