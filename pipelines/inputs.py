"""List and freeze the input files, check each against the contract, and cut them into units of work. No worker has started yet."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import InputError
from configs.load import nearest
from storage import files
from storage.files import InputFile
from transforms.batches import WorkUnit
from transforms.read_csv import CsvFormat, check_csv, csv_header

_FOOTER_THREADS = 8


@dataclass(frozen=True)
class RowGroup:
    """Rows and stored bytes of one Parquet row group."""

    rows: int
    bytes: int


@dataclass(frozen=True)
class Shard:
    """An input file and what its footer says; a CSV file has no row groups and an unknown number of rows."""

    file: InputFile
    row_groups: tuple[RowGroup, ...]
    rows: int | None


def list_shards(paths: Sequence[str]) -> tuple[list[InputFile], list[str]]:
    """Every input file once, sorted by URL, and the files left out (hidden, `_SUCCESS`, `.crc`).

    Raises:
        InputError: a path that matches nothing, or a file without a byte.
    """
    found: dict[str, InputFile] = {}
    ignored: list[str] = []
    for path in paths:
        try:
            matches, left_out = files.list_inputs(path)
        except (ImportError, ValueError) as error:
            raise InputError(f"source.paths {path}: {error}; install the extra for this kind of storage (s3, gcs)") from error
        except OSError as error:
            raise InputError(
                f"source.paths {path}: cannot be listed: {error.strerror}; check the address and credentials"
            ) from error
        if not matches:
            raise InputError(f"source.paths {path}: matches no file{_neighbours(path)}")
        found.update((m.url, m) for m in matches)
        ignored += left_out
    for file in found.values():
        if file.bytes == 0:
            raise InputError(
                f"{file.url}: has 0 bytes, so it is neither Parquet nor CSV; write it again or take it out of source.paths"
            )
    return sorted(found.values()), sorted(set(ignored))


def read_shards(
    inputs: Sequence[InputFile], format: str, wanted: Sequence[pa.Field | str], csv: CsvFormat
) -> tuple[list[Shard], pa.Schema]:
    """Footer or header of each file, checked: every wanted column is there, and of its type; and the types of those columns.

    Args:
        wanted: columns to read: fields whose type is known, or (Parquet only) names whose type the first file decides.

    Raises:
        InputError: the first file, in order, that is not readable, lacks a column, or has another type.
    """
    read = _read_parquet_footer if format == "parquet" else _read_csv_header
    first, schema = read(inputs[0], wanted, csv)
    settled = [schema.field(w) if isinstance(w, str) else w for w in wanted]
    with ThreadPoolExecutor(_FOOTER_THREADS) as pool:
        others = pool.map(lambda file: read(file, settled, csv)[0], inputs[1:])
        return [first, *others], pa.schema(settled)


def cut_into_units(shards: Sequence[Shard], rows_per_unit: int) -> tuple[WorkUnit, ...]:
    """Units in the order of shards and rows: row groups of one shard together, up to `rows_per_unit` rows; a CSV file is one."""
    pieces = [piece for shard in shards for piece in _cut(shard, rows_per_unit)]
    return tuple(WorkUnit(index=i, **piece) for i, piece in enumerate(pieces))


def _cut(shard: Shard, rows_per_unit: int) -> list[dict[str, Any]]:
    whole = {"shard": shard.file.url, "version": shard.file.version}
    if len(shard.row_groups) <= 1:
        return [
            {
                **whole,
                "first_row_group": 0,
                "row_groups": len(shard.row_groups),
                "first_row": 0,
                "rows": shard.rows,
                "bytes": shard.file.bytes,
            }
        ]
    pieces, first, first_row = [], 0, 0
    while first < len(shard.row_groups):
        stop, rows = first, 0
        while stop < len(shard.row_groups) and (stop == first or rows + shard.row_groups[stop].rows <= rows_per_unit):
            rows += shard.row_groups[stop].rows
            stop += 1
        size = sum(g.bytes for g in shard.row_groups[first:stop])
        pieces.append(
            {**whole, "first_row_group": first, "row_groups": stop - first, "first_row": first_row, "rows": rows, "bytes": size}
        )
        first, first_row = stop, first_row + rows
    return pieces


def _read_parquet_footer(file: InputFile, wanted: Sequence[pa.Field | str], csv: CsvFormat) -> tuple[Shard, pa.Schema]:
    try:
        source = file.url if files.is_local(file.url) else files.open_read(file.url)
        with pq.ParquetFile(source) as parquet:
            schema, metadata = parquet.schema_arrow, parquet.metadata
            groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    except (OSError, pa.ArrowException) as error:
        hint = "; is it CSV? then set source.format=csv" if file.url.endswith((".csv", ".csv.gz", ".csv.zst")) else ""
        raise InputError(f"{file.url}: is not a readable Parquet file: {_first_sentence(error)}{hint}") from error
    _check_columns(file.url, schema, wanted)
    row_groups = tuple(RowGroup(g.num_rows, g.total_byte_size) for g in groups)
    return Shard(file, row_groups, metadata.num_rows), schema.remove_metadata()


def _read_csv_header(file: InputFile, wanted: Sequence[pa.Field | str], csv: CsvFormat) -> tuple[Shard, pa.Schema]:
    names = csv_header(file.url, csv)
    fields = [w for w in wanted if isinstance(w, pa.Field)]
    types = {f.name: f.type for f in fields}
    schema = pa.schema([pa.field(n, types.get(n, pa.string())) for n in names])
    _check_columns(file.url, schema, fields)
    check_csv(file.url, pa.schema(fields), csv)
    return Shard(file, (), None), schema


def _check_columns(url: str, schema: pa.Schema, wanted: Sequence[pa.Field | str]) -> None:
    for column in wanted:
        name = column if isinstance(column, str) else column.name
        count = schema.names.count(name)
        if count == 0:
            raise InputError(f"{url}: has no column {name!r}{nearest(name, schema.names)}")
        if count > 1:
            raise InputError(f"{url}: has {count} columns called {name!r}; give each its own name")
        actual = schema.field(name).type
        if not isinstance(column, str) and actual != column.type:
            raise InputError(
                f"{url}: column {name!r} is {actual}, but must be {column.type}; write the file with that type, or retrain"
            )


def _neighbours(path: str) -> str:
    """What there is in the folder of a pattern that matches nothing."""
    folder, _, name = path.rpartition("/")
    names = files.names_in(folder or ".")
    if not names:
        return "; its folder does not exist or is empty"
    return nearest(name, names) or f"; in its folder are {', '.join(names[:5])}, ..."


def _first_sentence(error: Exception) -> str:
    return str(error).split(". ")[0][:200]
