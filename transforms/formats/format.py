"""What an input format is: it inspects the files that were listed, splits them into spans, and reads a span.

A format is one file in this folder and its line in `table.py`. A work unit carries a `span`, numbers
that only the unit's own format understands: row groups, places in a file. Nothing else in the
program knows what is in it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from configs.errors import InputError
from configs.lookalikes import describe_lookalike
from configs.suggest import nearest
from model_zoo.steps.moments import is_moment
from storage import inputs
from storage.inputs import InputFile
from transforms.batches import BatchId, RawBatch, RowRecord, WorkUnit
from transforms.formats.table import INPUT_FORMATS, import_maker
from transforms.joined_types import join_types
from transforms.model_types import (
    fits_exactly,
    fits_rounded,
    has_forms,
    join_decimals,
    may_be_dates,
    take_finest_unit,
    take_most_digits,
    widens,
)

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
    """

    csv: Mapping[str, Any]
    max_expansion: int | None = None
    files: Mapping[str, Any] = field(default_factory=dict)
    row_work: int = 0


@dataclass(frozen=True)
class Column:
    """A column to read.

    Attributes:
        type: what it must be, in whatever physical form; None when the files decide.
        castable: the model's contract states the type, so a narrower number in a shard is widened.
        carried: it is copied to the output, so its values must stay exactly as they are.
        stated: the job states the type, so it is what the column comes out in.
    """

    name: str
    type: pa.DataType | None
    castable: bool = False
    carried: bool = False
    stated: bool = False

    def takes(self, actual: pa.DataType) -> bool:
        """Tell whether a shard may hold the column in this type."""
        if self.type is None or actual == self.type:
            return True
        # The same values in another form: `string` says nothing about offsets, views, dictionaries.
        if join_types(self.type, actual) is not None:
            return True
        # With as many digits or more on both sides of the point, each value stays what it is.
        if self.stated and pa.types.is_decimal(self.type) and fits_exactly(actual, self.type):
            return True
        if not self.castable:
            return False
        # What is copied would not be a date any more.
        if not self.carried and may_be_dates(actual, self.type):
            return True
        if widens(actual, self.type):
            return True
        # Numbers are rounded for the model alone: what is copied to the output stays as it is.
        if self.carried and not has_forms(self.type):
            return False
        if fits_exactly(actual, self.type) or fits_rounded(actual, self.type):
            return True
        return self._takes_more_digits(actual)

    def _takes_more_digits(self, actual: pa.DataType) -> bool:
        """Tell whether a shard's decimals may have more digits: the model takes the nearest number.

        pandas gives a column as many digits as its largest value has that night, and Polars 38.
        """
        if self.stated or self.type is None:
            return False
        if not pa.types.is_decimal(actual) or not pa.types.is_decimal(self.type):
            return False
        return join_decimals([self.type, actual]) is not None

    def keeps_form(self, types: Sequence[pa.DataType]) -> bool:
        """Tell whether the column comes out as the files have it, and not as its type is declared.

        So it is with what a model takes and is copied, too, unless it is a number: a contract tells
        texts from numbers, and not a dictionary from plain texts.
        """
        if self.stated or self.type is None:
            return False
        if not self.castable or not self.carried:
            return False
        # Lists, moments and decimals reach the steps in any form that fits.
        if not has_forms(self.type):
            for actual in types:
                if join_types(self.type, actual) is None:
                    return False
        # Nothing but nulls would come out as null.
        are_null = [pa.types.is_null(actual) for actual in types]
        return not all(are_null)

    def choose_type(self, found: Sequence[pa.DataType]) -> pa.DataType | None:
        """Return the declared type in which the column comes out; None where the files decide.

        Args:
            found: the types that files have, which the column takes.
        """
        if self.type is None or self.keeps_form(found):
            return None
        is_for_model_alone = not self.carried and not self.stated
        # In the contract's unit a shard's finer ones would be cut off.
        if is_for_model_alone and is_moment(self.type):
            return take_finest_unit(self.type, found)
        # As many digits as the largest value of the sample had may be too few.
        if is_for_model_alone and pa.types.is_decimal(self.type):
            return take_most_digits(self.type, found)
        return self.type


@dataclass(frozen=True)
class Shard:
    """An input file, and what looking into it has told.

    Attributes:
        rows: how many rows it has; None when only reading tells.
        details: whatever the format wants to remember until it splits the shard.
    """

    file: InputFile
    rows: int | None
    details: Any = None


@dataclass(frozen=True)
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
    ) -> tuple[Shard, pa.Schema]:
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
        schema: pa.Schema,
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


def check_unchanged(unit: WorkUnit) -> None:
    """Refuse a file that is not what it was when the plan was made.

    Raises:
        InputError: it changed, is gone, or cannot be looked at.
    """
    # Each of its files is looked at when it is read.
    if inputs.is_folder_version(unit.version):
        return
    try:
        version = inputs.read_version(unit.shard)
    # Retried already, where it may pass.
    except OSError as error:
        raise InputError(
            f"{unit.shard}: cannot be read: {error.strerror}; start the run again to resume"
        ) from error
    if version != unit.version:
        raise InputError(
            f"{unit.shard}: changed after the run was planned; "
            "start the run again to score the new content"
        )


def check_columns(
    url: str,
    schema: pa.Schema,
    wanted: Sequence[Column],
) -> None:
    """Refuse a file that lacks a wanted column, has it twice, or in a type that it may not have.

    Args:
        url: the file, for the message.
        schema: its columns.
        wanted: the columns that will be read.

    Raises:
        InputError: the first such column.
    """
    # Counted once: a table may have thousands of columns, and all of them may be wanted.
    counts = Counter(schema.names)
    for column in wanted:
        count = counts[column.name]
        if count == 0:
            hint = _suggest_name(column.name, schema.names)
            raise InputError(f"{url}: has no column {column.name!r}{hint}")
        if count > 1:
            raise InputError(
                f"{url}: has {count} columns called {column.name!r}; give each its own name"
            )
        actual = schema.field(column.name).type
        if not column.takes(actual):
            raise refuse_type(url, column, actual)


def refuse_type(url: str, column: Column, actual: pa.DataType) -> InputError:
    """Return the refusal of a file that has a column in another type.

    Args:
        url: the file.
        column: the column, with the type that it must have.
        actual: the type that it has.
    """
    where = ""
    if column.carried:
        where = " in every file, because it is copied to the output as it is"
    return InputError(
        f"{url}: column {column.name!r} is {actual}, but must be {column.type}{where}; "
        "write the file with that type, or retrain"
    )


def number_rows(
    unit: WorkUnit,
    rows: pa.RecordBatch,
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


def no_rows(schema: pa.Schema) -> pa.RecordBatch:
    """Return a record batch of the schema without rows."""
    columns = []
    for dtype in schema.types:
        nothing = pa.array([], type=dtype)
        columns.append(nothing)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _suggest_name(name: str, names: Sequence[str]) -> str:
    # Before the nearest: in a message, nobody sees spaces at the ends of a name.
    for other in names:
        if other.strip() == name:
            return f"; but {other!r}, with spaces around it; take them out of the file"
    return describe_lookalike(name, names) or nearest(name, names)
