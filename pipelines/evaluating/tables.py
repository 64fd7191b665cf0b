"""Published scores, and labels from somewhere else, as tables of the columns that are compared."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from pyarrow import DataType, Schema, Table

from configs.errors import InputError, JobError
from configs.suggest import nearest
from pipelines.evaluating.question import Manifest
from pipelines.planning.arrow_types import parse_type
from storage import files
from storage.parquet_depth import open_parquet
from storage.run_folder import RunFolder
from transforms.formats.csv_bytes import is_csv
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_table import read_csv_table
from transforms.formats.json_preview import is_json_lines
from transforms.formats.json_table import read_json_table
from transforms.formats.partitions import read_values

# As they are published: plain, and read by scoring's own reader.
_PUBLISHED = CsvDialect()
_IPC_ENDINGS = (".arrow", ".feather", ".ipc")
# None for a type that the file itself must tell.
Types: TypeAlias = Mapping[str, DataType | None]


def read_scores(
    run: RunFolder,
    manifest: Manifest,
    wanted: Sequence[str],
    optional: Sequence[str],
) -> Table:
    """Return columns of every scored row.

    Args:
        run: a published run.
        manifest: its manifest.
        wanted: names of columns.
        optional: names of columns that are read where the run has them.

    Raises:
        InputError: a column that the run does not have, a file that cannot be read, or no rows.
    """
    types = list_types(manifest)
    names = list(types)
    for name in wanted:
        if name not in types:
            hint = nearest(name, names)
            raise InputError(f"{run.published}: has no column {name!r}{hint}")
    present = [name for name in optional if name in types]
    # A dict, as a column may be wanted for two reasons.
    declared = {}
    for name in (*wanted, *present):
        declared[name] = _parse_declared(types[name])
    in_folders = _list_in_folders(manifest)

    tables = []
    for entry in manifest["files"]:
        # A CSV file without a row tells no types.
        if not entry["rows"]:
            continue
        table = _read_scored(run, entry, declared, in_folders)
        tables.append(table)
    if not tables:
        raise InputError(f"{run.published}: has no scored rows to evaluate")
    return pa.concat_tables(tables)


def list_types(manifest: Manifest) -> dict[str, str]:
    """Return the published columns' types, as the manifest writes them, by name.

    Those of the files come first, then those whose values are the names of folders.
    """
    in_files = {column["name"]: column["type"] for column in manifest["schema"]}
    return in_files | _list_in_folders(manifest)


def _list_in_folders(manifest: Manifest) -> dict[str, str]:
    """Return the types of the columns of `sink.partition_by`, which no file holds."""
    # Manifests of older versions do not say it.
    columns = manifest.get("partition_by") or ()
    return {column["name"]: column["type"] for column in columns}


def _read_scored(
    run: RunFolder,
    entry: Mapping[str, Any],
    declared: Types,
    in_folders: Mapping[str, str],
) -> Table:
    """Return columns of one file of scored rows, and those that the names of its folders tell.

    Args:
        run: a published run.
        entry: the file, as the manifest writes it.
        declared: the columns.
        in_folders: those that are no column of any file.
    """
    path = entry["path"]
    in_file: dict[str, DataType | None] = {}
    named: dict[str, DataType | None] = {}
    for name, dtype in declared.items():
        told_where = named if name in in_folders else in_file
        told_where[name] = dtype
    table = read_table(f"{run.published}/{path}", in_file, _PUBLISHED)
    fields = _make_schema(named)
    # Of the path below the run alone: folders above it may be called so, too.
    for name, value in read_values(path, fields).items():
        (scalar,) = value
        column = pa.repeat(scalar, entry["rows"])
        table = table.append_column(name, column)
    return table


def read_table(url: str, columns: Types, dialect: CsvDialect) -> Table:
    """Return some columns of a file, whose ending tells its format: Parquet where it says nothing.

    Args:
        url: the file.
        columns: names, and the types that a CSV file's text is read as.
        dialect: what a CSV file's text means.

    Raises:
        InputError: the file cannot be read, or lacks a column; or a CSV file has a malformed row.
        JobError: a type that no text has.
    """
    try:
        if is_csv(url):
            schema = _make_schema(columns)
            return read_csv_table(url, schema, dialect)
        if is_json_lines(url):
            schema = _make_schema(columns)
            return read_json_table(url, schema)
        with files.open_read(url) as file:
            if url.lower().endswith(_IPC_ENDINGS):
                return _read_ipc(file, columns, url)
            return _read_parquet(file, columns, url)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(
            f"{url}: cannot be read: {error}; it must be Parquet, CSV, JSON lines (.jsonl) or Arrow IPC (.arrow)"
        ) from error


def _make_schema(columns: Types) -> Schema:
    """Return the columns' types in a CSV file: text where the manifest's word is none that a job has.

    A dictionary is one, and its values are published as their text.
    """
    fields = []
    for name, dtype in columns.items():
        # One of no declared type is read as its text.
        field = pa.field(name, dtype or pa.string())
        fields.append(field)
    return pa.schema(fields)


def _parse_declared(text: str) -> DataType | None:
    """Return the type of a plain column; None for a list, or a dictionary."""
    try:
        return parse_type(text, "manifest.json schema")
    except JobError:
        return None


def _read_parquet(file: Any, columns: Types, url: str) -> Table:
    parquet = open_parquet(file)
    present = parquet.schema_arrow.names
    _check_columns(url, columns, present)
    table = parquet.read(list(columns))
    # Arrow does not look at texts, and Python fails on one that is not UTF-8.
    table.validate(full=True)
    return table


def _read_ipc(file: Any, columns: Types, url: str) -> Table:
    with pa.ipc.open_file(file) as stored:
        present = stored.schema.names
        _check_columns(url, columns, present)
        whole = stored.read_all()
    table = whole.select(list(columns))
    # Arrow believes the offsets and texts of what it reads.
    table.validate(full=True)
    return table


def _check_columns(url: str, columns: Types, names: Sequence[str]) -> None:
    for name in columns:
        if name not in names:
            hint = nearest(name, names)
            raise InputError(f"{url}: has no column {name!r}{hint}")
