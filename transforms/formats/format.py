"""What an input format is: it inspects the files that were listed, splits them into spans, and reads a span.

A format is one file in this folder and its line in `table.py`. A work unit carries a `span`, numbers
that only the unit's own format understands: row groups, places in a file. Nothing else in the
program knows what is in it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch, Schema

from storage.input_file import InputFile
from transforms.batches import BatchId, RawBatch, RowRecord, WorkUnit
from transforms.bounds import Bounds
from transforms.formats.column import Column
from transforms.formats.table import INPUT_FORMATS, import_maker

Span = tuple[int, ...]
# By column, how many rows have no value there; None where nobody knows without reading them.
NullCounts = Mapping[str, int | None]


@dataclass(frozen=True)
class InputOptions:
    """What a job says of its input files, beside their format.

    Attributes:
        csv: the section `source.csv`.
        max_expansion: `source.max_expansion`; None for a format's own default.
        files: the section `source.files`.
        row_work: what a row costs once it is read, as bytes that a store gives in that time.
        sparse: columns that no row of a file need have, where files tell no schema.
    """

    csv: Mapping[str, Any]
    max_expansion: int | None = None
    files: Mapping[str, Any] = field(default_factory=dict)
    row_work: int = 0
    sparse: tuple[str, ...] = ()


# Slots, because there may be hundreds of thousands of them.
@dataclass(frozen=True, slots=True)
class Shard:
    """An input file, and what looking into it has told.

    Attributes:
        rows: how many rows it has; None when only reading tells.
        details: whatever the format wants to remember until it splits the shard.
    """

    file: InputFile
    rows: int | None
    details: Any = None

    # See `InputFile`.
    def __reduce__(self) -> Any:
        return Shard, (self.file, self.rows, self.details)


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a shard that are read together: what a work unit is made of.

    Attributes:
        span: where they are, in the words of the format.
        first_row: number of the first one in the shard.
        rows: how many; None when only reading tells.
        bytes: their size as it is stored, for ordering large units first.
    """

    span: Span
    first_row: int
    rows: int | None
    bytes: int


class Format(Protocol):
    """How files of one kind are read; a frozen value that travels to the workers.

    Attributes:
        needs_types: whether every column's type must be declared, since the files do not tell.
    """

    needs_types: ClassVar[bool]

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Look into a file before any worker starts.

        Args:
            file: the file.
            wanted: the columns that will be read.

        Returns:
            The shard, and the file's whole schema.

        Raises:
            InputError: it cannot be read, or lacks a wanted column, or has it in another type.
        """

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Cut a shard into pieces, in their order; at least one.

        Args:
            shard: as `inspect` gave it.
            rows: about how many rows of a piece are wanted.
        """

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the rows of a unit in order, at most `rows_per_batch` at a time.

        The last batch says so, and a unit without rows gives one batch without rows. Rows that
        cannot be read are rejected in their batch.

        Args:
            unit: the unit, cut by the same format.
            schema: the columns to read, with the types that they must come out in.
            rows_per_batch: rows of a batch, at most.
            record: what is kept of a rejected row.

        Raises:
            InputError: the file changed since the plan was made, or cannot be read.
        """


@dataclass(frozen=True)
class Section:
    """Rows of a unit that follow each other, and whether any of them may pass a filter.

    Attributes:
        unit: the unit, or a part of it that its format reads as one.
    """

    unit: WorkUnit
    may_pass: bool


# Tells of what is known of some columns whether a row may pass a filter.
MayPass = Callable[[Mapping[str, Bounds]], bool]


@runtime_checkable
class FindsSections(Protocol):
    """A format that knows, without reading rows, something of their values."""

    def find_sections(
        self,
        unit: WorkUnit,
        fields: Schema,
        names: Sequence[str],
        may_pass: MayPass,
    ) -> list[Section]:
        """Cut a unit of known rows where rows that may pass a filter begin and end, in order.

        Args:
            unit: the unit, cut by the same format.
            fields: the columns that the filter reads, in the types that they come out in.
            names: all columns that will be read.
            may_pass: the filter, of what is known of some of these columns.

        Raises:
            InputError: the file cannot be read.
        """


@runtime_checkable
class KeepsDictionaries(Protocol):
    """A format that reads plain texts into dictionaries, which ends batches with row groups.

    The details of its shards are one of each row group.
    """

    keeps_dictionaries: ClassVar[bool]


@runtime_checkable
class CountsNulls(Protocol):
    """A format whose files may tell how many values are missing without being read."""

    def count_nulls(self, url: str, names: Sequence[str]) -> NullCounts:
        """Return how many rows of a file have no value in some columns.

        Args:
            url: the file.
            names: the columns; the file has each of them once.

        Raises:
            InputError: the file cannot be read.
        """


@runtime_checkable
class ReadsNamedFiles(Protocol):
    """A format that also reads files that rows name."""

    def list_roots(self) -> list[str]:
        """Return the folders that those files are in."""


@runtime_checkable
class ReadsListedFiles(Protocol):
    """A format each of whose rows names a file, of which the launcher makes a list (`file_list.py`)."""

    def with_stored_list(self, url: str) -> Format:
        """Return the format for workers, who read the list where it is stored."""


@runtime_checkable
class CutsForSamples(Protocol):
    """A format that finds rows in the middle of a file which it does not cut for a run.

    A dry run looks at some of them.
    """

    def split_for_sample(self, shard: Shard) -> list[Piece]:
        """Return pieces of a shard; none where nobody knows where in it a row begins.

        Raises:
            InputError: the shard cannot be read.
        """


def find_input_format(name: str, options: InputOptions) -> Format:
    """Return the input format of this name, with the options of a job.

    Args:
        name: one of `INPUT_FORMATS`.
        options: what the job says of its files.

    Raises:
        KeyError: there is no format of this name.
        JobError: options that no file can be read with.
    """
    make: Callable[[InputOptions], Format] = import_maker(INPUT_FORMATS[name])
    return make(options)


def split_for_sample(format: Format, shard: Shard) -> list[Piece]:
    """Return pieces of a shard, cut so that some of its rows can be looked at; none where it is not.

    Args:
        format: how the shard is read.
        shard: of unknown rows.
    """
    if isinstance(format, CutsForSamples):
        return format.split_for_sample(shard)
    return []


def number_rows(
    unit: WorkUnit,
    rows: RecordBatch,
    offset: int,
    last: bool,
) -> RawBatch:
    """Return rows that follow each other as a batch.

    Args:
        unit: the unit that they are of.
        rows: the rows.
        offset: how many rows of the unit come before them.
        last: whether the unit ends with them.
    """
    first = unit.first_row + offset
    stop = first + rows.num_rows
    numbers = np.arange(first, stop, dtype=np.int64)
    batch_id = BatchId(unit.shard, first)
    return RawBatch(
        unit,
        id=batch_id,
        rows=rows,
        row_numbers=numbers,
        last=last,
    )


def number_slices(
    unit: WorkUnit,
    stored: RecordBatch,
    done: int,
    rows_per_batch: int,
) -> Iterator[RawBatch]:
    """Yield rows that are stored together as batches, of a unit whose rows are known.

    Args:
        unit: the unit.
        stored: some of its rows, which follow each other.
        done: how many rows of the unit come before them.
        rows_per_batch: how many a batch has at most.
    """
    for start in range(0, stored.num_rows, rows_per_batch):
        rows = stored.slice(start, rows_per_batch)
        stop = done + start + rows.num_rows
        yield number_rows(unit, rows, done + start, last=stop == unit.rows)


def group_parts(
    parts: Iterable[tuple[int, int]],
    rows: int,
    file_bytes: int,
) -> list[Piece]:
    """Put stored parts of a file together, up to so many rows; one that has more stays whole.

    Args:
        parts: rows and bytes of each part, in order.
        rows: how many a piece shall have at most.
        file_bytes: size of the file.

    Returns:
        Pieces whose span is (first part, number of parts); one of no part, where there is none.
    """
    pieces: list[Piece] = []
    first_row = 0
    for number, (part_rows, part_bytes) in enumerate(parts):
        piece = Piece((number, 1), first_row, part_rows, part_bytes)
        first_row += part_rows
        last = pieces[-1] if pieces else None
        if last is not None and (last.rows or 0) + part_rows <= rows:
            pieces[-1] = _join_pieces(last, piece)
        else:
            pieces.append(piece)
    return pieces or [Piece((0, 0), 0, 0, file_bytes)]


def _join_pieces(piece: Piece, following: Piece) -> Piece:
    first, count = piece.span
    rows = (piece.rows or 0) + (following.rows or 0)
    size_bytes = piece.bytes + following.bytes
    return Piece((first, count + 1), piece.first_row, rows, size_bytes)


def make_unit(index: int, shard: Shard, piece: Piece) -> WorkUnit:
    """Return a piece of a shard as a unit of work.

    Args:
        index: number of the unit.
        shard: the file.
        piece: the piece.
    """
    return WorkUnit(
        index=index,
        shard=shard.file.url,
        version=shard.file.version,
        span=piece.span,
        first_row=piece.first_row,
        rows=piece.rows,
        bytes=piece.bytes,
    )


def no_rows(schema: Schema) -> RecordBatch:
    """Return a record batch of the schema without rows."""
    # Not `pa.array([], dtype)`, which knows no dictionary of views, as Polars writes them.
    columns = [pa.nulls(0, dtype) for dtype in schema.types]
    return RecordBatch.from_arrays(columns, schema=schema)
