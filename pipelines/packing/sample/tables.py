"""The sample: rows as the nightly job will have them, from which a model's contract is found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from configs.errors import InputError
from pipelines.packing.sample.csv_tables import AS_JOBS_READ, convert_sample, read_fields
from pipelines.packing.sample.paths import list_sample_files
from pipelines.packing.sample.schemas import to_one_schema
from storage import files
from storage.parquet_depth import open_parquet
from transforms.formats.broken_texts import blank_broken_texts
from transforms.formats.csv_bytes import is_csv
from transforms.formats.csv_dialect import CsvDialect
from transforms.record_batches import take_rows

# Enough to see missing values and to compare scores; more only takes longer.
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Sample:
    """The first rows of some files.

    Attributes:
        rows: those that can be read.
        notes: what was left out, in words.
    """

    rows: pa.Table
    notes: tuple[str, ...] = ()


def read_sample(
    paths: Sequence[str],
    key: str | None = None,
    most_rows: int = MOST_ROWS,
    dialect: CsvDialect = AS_JOBS_READ,
) -> Sample:
    """Return the first rows of Parquet or CSV files, told apart by their ending.

    A row that scoring would reject as it reads it is left out, and told.

    Args:
        paths: files, folders and globs.
        key: the column that names a row; in CSV it is a text where a number would be written otherwise.
        most_rows: how many.
        dialect: of CSV files.

    Raises:
        InputError: a path that matches nothing, a file that cannot be read, or no rows.
    """
    tables: list[pa.Table] = []
    fields: list[pa.Table] = []
    notes: list[str] = []
    rows = 0
    for file in list_sample_files(paths):
        if rows >= most_rows:
            break
        left = most_rows - rows
        try:
            if is_csv(file.url):
                read = read_fields(file.url, left, dialect)
                notes += _tell_broken(file.url, read.broken)
                table = read.fields
                fields.append(table)
            else:
                table, broken = _leave_out_broken(_read_parquet(file.url, left))
                notes += _tell_broken(file.url, broken)
                tables.append(table)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise InputError(
                f"sample {file.url}: cannot be read: {error}; it must be a Parquet or CSV file"
            ) from error
        rows += table.num_rows
    if not rows:
        raise InputError(f"sample {paths[0]}: has no rows")
    try:
        if fields:
            # Together: in one file alone, a column of fractions may hold whole numbers.
            text = pa.concat_tables(fields)
            tables.append(convert_sample(text, key, dialect.decimal))
        whole = pa.concat_tables(to_one_schema(tables))
    except pa.ArrowInvalid as error:
        raise InputError(f"sample: its files differ in columns or types: {error}") from error
    return Sample(whole.combine_chunks(), tuple(notes))


def _tell_broken(
    url: str,
    broken: Mapping[int, Exception],
) -> list[str]:
    if not broken:
        return []
    row, reason = min(broken.items())
    return [
        f"{len(broken):,} rows of {url} are left out as a job rejects them: row {row}: {reason}"
    ]


def _read_parquet(url: str, most: int) -> pa.Table:
    with files.open_read(url) as file:
        parquet = open_parquet(file)
        # At most so many at a time, or what is read ahead of a large file fills the memory.
        batches = parquet.iter_batches(batch_size=min(most, MOST_ROWS))
        return _take_rows(batches, parquet.schema_arrow, most)


def _leave_out_broken(table: pa.Table) -> tuple[pa.Table, Mapping[int, Exception]]:
    """Return the rows without those that hold a text that is not UTF-8, and why, by row."""
    kept: list[pa.RecordBatch] = []
    broken: dict[int, Exception] = {}
    first = 0
    for batch in table.to_batches():
        count = batch.num_rows
        valid, reasons = blank_broken_texts(batch)
        broken.update({first + row: reason for row, reason in reasons.items()})
        rows = np.delete(np.arange(count), list(reasons))
        # Nearly always all of them, as they are.
        kept.append(take_rows(valid, rows) if reasons else valid)
        first += count
    return pa.Table.from_batches(kept, table.schema), broken


def _take_rows(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    most: int,
) -> pa.Table:
    """Return the first rows, and read no further: a file may be larger than the memory."""
    taken: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        part = batch.slice(0, most - rows)
        taken.append(part)
        rows += part.num_rows
        if rows >= most:
            break
    return pa.Table.from_batches(taken, schema)
