"""The sample: rows as the nightly job will have them, from which a model's contract is found."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from configs.errors import InputError
from pipelines.planning.shards import list_shards
from storage import files

# Enough to see missing values and to compare scores; more only takes longer.
MOST_ROWS = 10_000
_CSV_ENDING = ".csv"


def read_sample(paths: Sequence[str]) -> pa.Table:
    """Return the first rows of Parquet or CSV files, told apart by their ending.

    The types of a CSV file are what Arrow finds in its text.

    Args:
        paths: files, folders and globs.

    Raises:
        InputError: a path that matches nothing, a file that cannot be read, or no rows.
    """
    absolute = [files.to_absolute(path) for path in paths]
    try:
        listed, _ = list_shards(absolute)
    except InputError as error:
        # The listing speaks of a job's field.
        raise InputError(str(error).replace("source.paths", "sample", 1)) from error
    tables: list[pa.Table] = []
    rows = 0
    for file in listed:
        if rows >= MOST_ROWS:
            break
        table = _read_rows(file.url, MOST_ROWS - rows)
        rows += table.num_rows
        tables.append(table)
    try:
        whole = pa.concat_tables(tables)
    except pa.ArrowInvalid as error:
        raise InputError(f"sample: its files differ in columns or types: {error}") from error
    if not whole.num_rows:
        raise InputError(f"sample {paths[0]}: has no rows")
    return whole.combine_chunks()


def is_csv(path: str) -> bool:
    """Tell whether a file is read as CSV."""
    return path.endswith(_CSV_ENDING)


def _read_rows(url: str, most: int) -> pa.Table:
    try:
        with files.open_read(url) as file:
            if is_csv(url):
                reader = _open_csv(file)
                return _take_rows(reader, reader.schema, most)
            parquet = pq.ParquetFile(file)
            batches = parquet.iter_batches(batch_size=most)
            return _take_rows(batches, parquet.schema_arrow, most)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(
            f"sample {url}: cannot be read: {error}; it must be a Parquet or CSV file"
        ) from error


def _open_csv(file: pa.NativeFile) -> pacsv.CSVStreamingReader:
    convert = pacsv.ConvertOptions(strings_can_be_null=True, null_values=[""])
    parse = pacsv.ParseOptions(newlines_in_values=True)
    # The types are those of its first block.
    return pacsv.open_csv(file, parse_options=parse, convert_options=convert)


def _take_rows(batches: Iterable[pa.RecordBatch], schema: pa.Schema, most: int) -> pa.Table:
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
