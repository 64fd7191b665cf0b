"""Published scores, and labels from somewhere else, as tables of the columns that are compared."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from configs.errors import InputError, JobError
from configs.suggest import nearest
from pipelines.planning.arrow_types import parse_type
from storage import files
from storage.layout import RunFolder

_CSV_ENDINGS = (".csv", ".csv.gz", ".csv.zst")
_COMPRESSIONS = {"gz": "gzip", "zst": "zstd"}
# None for a type that the file itself must tell.
Types: TypeAlias = Mapping[str, pa.DataType | None]
Manifest: TypeAlias = Mapping[str, Any]


def read_scores(
    run: RunFolder, manifest: Manifest, key: str, prediction: str, probability: str
) -> pa.Table:
    """Return key, prediction, and (where the run has it) probability of every scored row.

    Args:
        run: a published run.
        manifest: its manifest.
        key, prediction, probability: names of columns.

    Raises:
        InputError: a column that the run does not have, a file that cannot be read, or no rows.
    """
    types = {}
    for column in manifest["schema"]:
        name = column["name"]
        types[name] = column["type"]
    names = list(types)
    for name in (key, prediction):
        if name not in types:
            hint = nearest(name, names)
            raise InputError(f"{run.published}: has no column {name!r}{hint}")
    wanted = [key, prediction]
    if probability in types:
        wanted.append(probability)
    declared = {name: _parse_declared(types[name]) for name in wanted}

    tables = []
    for entry in manifest["files"]:
        # A CSV file without a row tells no types.
        if not entry["rows"]:
            continue
        path = entry["path"]
        table = read_table(f"{run.published}/{path}", declared)
        tables.append(table)
    if not tables:
        raise InputError(f"{run.published}: has no scored rows to evaluate")
    return pa.concat_tables(tables)


def read_table(url: str, columns: Types) -> pa.Table:
    """Return some columns of a Parquet or CSV file, told apart by its ending.

    Args:
        url: the file.
        columns: names, and the types that a CSV file's text is read as.

    Raises:
        InputError: the file cannot be read, or lacks a column.
    """
    try:
        with files.open_read(url) as file:
            if url.endswith(_CSV_ENDINGS):
                return _read_csv(file, columns, url)
            return _read_parquet(file, columns, url)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(
            f"{url}: cannot be read: {error}; it must be a Parquet or CSV file"
        ) from error


def _parse_declared(text: str) -> pa.DataType | None:
    """Return the type of a plain column; None for a list, which only Parquet holds."""
    try:
        return parse_type(text, "manifest.json schema")
    except JobError:
        return None


def _read_parquet(file: Any, columns: Types, url: str) -> pa.Table:
    parquet = pq.ParquetFile(file)
    present = parquet.schema_arrow.names
    _check_columns(url, columns, present)
    return parquet.read(list(columns))


def _read_csv(file: Any, columns: Types, url: str) -> pa.Table:
    ending = url.rsplit(".", 1)[1]
    compression = _COMPRESSIONS.get(ending)
    stream = pa.input_stream(file, compression=compression)
    known_types = {name: dtype for name, dtype in columns.items() if dtype is not None}
    # A key, or another text, may hold line breaks; Arrow takes none unless told.
    parse = pacsv.ParseOptions(newlines_in_values=True)
    # As scoring writes it: an empty field is null, whatever its type.
    convert = pacsv.ConvertOptions(
        column_types=known_types, strings_can_be_null=True, null_values=[""]
    )
    table = pacsv.read_csv(stream, parse_options=parse, convert_options=convert)
    _check_columns(url, columns, table.column_names)
    return table.select(list(columns))


def _check_columns(url: str, columns: Types, names: Sequence[str]) -> None:
    for name in columns:
        if name not in names:
            hint = nearest(name, names)
            raise InputError(f"{url}: has no column {name!r}{hint}")
