"""List and freeze the input files, check each against the contract, and cut them into units of work. No worker has started yet."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import InputError
from configs.load import nearest
from configs.messages import shown
from pipelines.csv_pieces import CsvPiece, cut_csv
from storage import files
from storage.files import InputFile
from storage.retries import retried
from transforms.batches import WorkUnit
from transforms.read import BOMB_BYTES, MAX_EXPANSION, expands_too_much, is_encryption
from transforms.read_csv import CsvFormat, check_csv, csv_header

_FOOTER_THREADS = 8
_DECRYPT = "store it decrypted, on an encrypted disk or in an encrypted bucket if need be"
_DELIMITERS = ";\t|,"
_STORED_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8}


@dataclass(frozen=True)
class Column:
    """A column to read.

    Attributes:
        type: what it must be; None (Parquet only) when the first file decides.
        castable: the model's contract states the type, so a narrower number in a shard is widened.
        carried: it is copied to the output, so its values must stay exactly as they are.
    """

    name: str
    type: pa.DataType | None
    castable: bool = False
    carried: bool = False

    def takes(self, actual: pa.DataType) -> bool:
        """Whether a shard may hold the column in this type."""
        if self.type is None or actual == self.type:
            return True
        return self.castable and (_widens(actual, self.type) or (not self.carried and _narrows(actual, self.type)))


@dataclass(frozen=True)
class RowGroup:
    """Rows of one Parquet row group, and its bytes before they are compressed."""

    rows: int
    bytes: int


@dataclass(frozen=True)
class Shard:
    """An input file and what its footer says; a CSV file has no row groups, and its rows are known only if it is cut into pieces."""

    file: InputFile
    row_groups: tuple[RowGroup, ...]
    rows: int | None
    pieces: tuple[CsvPiece, ...] = ()


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
    inputs: Sequence[InputFile], format: str, wanted: Sequence[Column], csv: CsvFormat
) -> tuple[list[Shard], pa.Schema]:
    """Footer or header of each file, checked: every wanted column is there, and of a type that it may have; and the columns' types.

    Raises:
        InputError: the first file, in order, that is not readable, lacks a column, or has another type.
    """
    read = _read_parquet_footer if format == "parquet" else _read_csv_header
    first, schema = read(inputs[0], wanted, csv)
    settled = [w if w.type is not None else replace(w, type=schema.field(w.name).type) for w in wanted]
    with ThreadPoolExecutor(_FOOTER_THREADS) as pool:
        others = pool.map(lambda file: read(file, settled, csv)[0], inputs[1:])
        return [first, *others], pa.schema([(w.name, w.type) for w in settled])


def cut_into_units(shards: Sequence[Shard], rows_per_unit: int) -> tuple[WorkUnit, ...]:
    """Units in the order of shards and rows: row groups of one shard together, up to `rows_per_unit` rows; a CSV file, or a piece."""
    pieces = [piece for shard in shards for piece in _cut(shard, rows_per_unit)]
    return tuple(WorkUnit(index=i, **piece) for i, piece in enumerate(pieces))


def _cut(shard: Shard, rows_per_unit: int) -> list[dict[str, Any]]:
    whole = {"shard": shard.file.url, "version": shard.file.version}
    if shard.pieces:
        return [{**whole, "first_row_group": 0, "row_groups": 0, **asdict(piece)} for piece in shard.pieces]
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
    decoded = max(1, sum(g.bytes for g in shard.row_groups))
    pieces, first, first_row = [], 0, 0
    while first < len(shard.row_groups):
        stop, rows = first, 0
        while stop < len(shard.row_groups) and (stop == first or rows + shard.row_groups[stop].rows <= rows_per_unit):
            rows += shard.row_groups[stop].rows
            stop += 1
        size = shard.file.bytes * sum(g.bytes for g in shard.row_groups[first:stop]) // decoded
        pieces.append(
            {**whole, "first_row_group": first, "row_groups": stop - first, "first_row": first_row, "rows": rows, "bytes": size}
        )
        first, first_row = stop, first_row + rows
    return pieces


@retried
def _footer(url: str) -> tuple[pa.Schema, pq.FileMetaData]:
    source = url if files.is_local(url) else files.open_read(url)
    with pq.ParquetFile(source) as parquet:
        return parquet.schema_arrow, parquet.metadata


def _read_parquet_footer(file: InputFile, wanted: Sequence[Column], csv: CsvFormat) -> tuple[Shard, pa.Schema]:
    try:
        schema, metadata = _footer(file.url)
    except (OSError, pa.ArrowException) as error:
        if is_encryption(error):
            raise InputError(f"{file.url}: is encrypted; {_DECRYPT}") from error
        hint = "; is it CSV? then set source.format=csv" if file.url.endswith((".csv", ".csv.gz", ".csv.zst")) else ""
        raise InputError(f"{file.url}: is not a readable Parquet file: {_first_sentence(error)}{hint}") from error
    _check_columns(file.url, schema, wanted)
    max_expansion = csv.max_expansion or MAX_EXPANSION
    if _holds_more_than(max(BOMB_BYTES, max_expansion * file.bytes), file.url, metadata, {w.name for w in wanted}):
        raise expands_too_much(file.url, max_expansion)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    row_groups = tuple(RowGroup(g.num_rows, g.total_byte_size) for g in groups)
    return Shard(file, row_groups, metadata.num_rows), schema.remove_metadata()


def _read_csv_header(file: InputFile, wanted: Sequence[Column], csv: CsvFormat) -> tuple[Shard, pa.Schema]:
    names = csv_header(file.url, csv)
    types = {w.name: w.type for w in wanted}
    schema = pa.schema([pa.field(n, types.get(n, pa.string())) for n in names])
    _check_delimiter(file.url, names, wanted, csv)
    _check_columns(file.url, schema, wanted)
    check_csv(file.url, pa.schema([(w.name, w.type) for w in wanted]), csv)
    pieces = cut_csv(file, names, csv)
    return Shard(file, (), sum(p.rows for p in pieces) if pieces else None, pieces), schema


def _check_delimiter(url: str, names: Sequence[str], wanted: Sequence[Column], csv: CsvFormat) -> None:
    if len(names) != 1 or len(wanted) < 2:
        return
    for other in _DELIMITERS:
        if other != csv.delimiter and {w.name for w in wanted} & set(names[0].split(other)):
            raise InputError(
                f"{url}: its columns are separated by {other!r} and not by {csv.delimiter!r}; write --set source.csv.delimiter={other!r}"
            )


def _check_columns(url: str, schema: pa.Schema, wanted: Sequence[Column]) -> None:
    for column in wanted:
        name, count = column.name, schema.names.count(column.name)
        if count == 0:
            raise InputError(f"{url}: has no column {name!r}{_similar(name, schema.names)}")
        if count > 1:
            raise InputError(f"{url}: has {count} columns called {name!r}; give each its own name")
        actual = schema.field(name).type
        if not column.takes(actual):
            exact = " in every file, because it is copied to the output as it is" if column.carried else ""
            raise InputError(
                f"{url}: column {name!r} is {actual}, but must be {column.type}{exact}; write the file with that type, or retrain"
            )


def _similar(name: str, names: Sequence[str]) -> str:
    for other in names:
        if other.strip() == name:
            return f"; but {other!r}, with spaces around it; take them out of the file"
    return nearest(name, names)


def _widens(actual: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether every value of a narrower number is one of the wider type."""
    if pa.types.is_integer(actual) and pa.types.is_integer(wanted):
        gains_sign = pa.types.is_unsigned_integer(actual) and pa.types.is_signed_integer(wanted)
        same_sign = pa.types.is_signed_integer(actual) == pa.types.is_signed_integer(wanted)
        return (same_sign or gains_sign) and actual.bit_width < wanted.bit_width
    return pa.types.is_floating(actual) and pa.types.is_floating(wanted) and actual.bit_width < wanted.bit_width


def _narrows(actual: pa.DataType, wanted: pa.DataType) -> bool:
    return bool(actual == pa.float64() and wanted == pa.float32())


def _holds_more_than(limit: int, url: str, metadata: pq.FileMetaData, names: set[str]) -> bool:
    """Whether the wanted columns are larger than that, decoded, as far as the footer tells."""
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    widths = {i: _width(leaf) for i, leaf in enumerate(leaves) if {leaf.path, leaf.path.partition(".")[0]} & names}
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    if sum(g.total_byte_size + g.num_rows * sum(widths.values()) for g in groups) <= limit:
        return False
    _refuse_encrypted_columns(url, metadata)
    return sum(_column_bytes(g.column(i), width) for g in groups for i, width in widths.items()) > limit


def _refuse_encrypted_columns(url: str, metadata: pq.FileMetaData) -> None:
    """Where a plain footer is longer than its content, it is signed, so columns are encrypted; to ask pyarrow ends the process."""
    with files.open_read(url) as file:
        file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
    if length != metadata.serialized_size:
        raise InputError(f"{url}: is encrypted in part; {_DECRYPT}")


def _width(leaf: pq.ColumnSchema) -> int:
    return _STORED_WIDTHS.get(leaf.physical_type, max(leaf.length, 4))


def _column_bytes(column: pq.ColumnChunkMetaData, width: int) -> int:
    return max(column.total_uncompressed_size, column.num_values * width)


def _neighbours(path: str) -> str:
    """What there is in the folder of a pattern that matches nothing."""
    folder, _, name = path.rpartition("/")
    names = files.names_in(folder or ".")
    if not names:
        return "; its folder does not exist or is empty"
    return nearest(name, names) or f"; in its folder are {', '.join(names[:5])}, ..."


def _first_sentence(error: Exception) -> str:
    return shown(error).split(". ")[0][:200]
