"""Published scores, and labels from somewhere else, as tables of the columns that are compared."""

from collections.abc import Mapping, Sequence
from typing import Any

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
Types = Mapping[str, pa.DataType | None]


def read_scores(
    run: RunFolder, manifest: Mapping[str, Any], key: str, prediction: str, probability: str
) -> pa.Table:
    """Return key, prediction, and (where the run has it) probability of every scored row.

    Args:
        run: a published run.
        manifest: its manifest.
        key, prediction, probability: names of columns.

    Raises:
        InputError: a column that the run does not have, a file that cannot be read, or no rows.
    """
    types = {column["name"]: column["type"] for column in manifest["schema"]}
    for name in (key, prediction):
        if name not in types:
            raise InputError(f"{run.published}: has no column {name!r}{nearest(name, list(types))}")
    wanted = [key, prediction]
    if probability in types:
        wanted.append(probability)
    declared = {name: _parse_declared(types[name]) for name in wanted}
    # A CSV file without a row tells no types.
    paths = [entry["path"] for entry in manifest["files"] if entry["rows"]]
    if not paths:
        raise InputError(f"{run.published}: has no scored rows to evaluate")
    return pa.concat_tables([read_table(f"{run.published}/{path}", declared) for path in paths])


def read_table(url: str, columns: Types) -> pa.Table:
    """Return some columns of a Parquet or CSV file, told apart by its ending.

    Args:
        url: the file.
        columns: names, and the types that a CSV file's text is read as.

    Raises:
        InputError: the file cannot be read, or lacks a column.
    """
    read = _read_csv if url.endswith(_CSV_ENDINGS) else _read_parquet
    try:
        with files.open_read(url) as file:
            return read(file, columns, url)
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
    _check_columns(url, columns, parquet.schema_arrow.names)
    return parquet.read(list(columns))


def _read_csv(file: Any, columns: Types, url: str) -> pa.Table:
    ending = url.rsplit(".", 1)[1]
    stream = pa.input_stream(file, compression=_COMPRESSIONS.get(ending))
    types = {name: dtype for name, dtype in columns.items() if dtype is not None}
    parse = pacsv.ParseOptions(newlines_in_values=True)
    # As scoring writes it: an empty field is null, whatever its type.
    convert = pacsv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    table = pacsv.read_csv(stream, parse_options=parse, convert_options=convert)
    _check_columns(url, columns, table.column_names)
    return table.select(list(columns))


def _check_columns(url: str, columns: Types, names: Sequence[str]) -> None:
    for name in columns:
        if name not in names:
            raise InputError(f"{url}: has no column {name!r}{nearest(name, names)}")
