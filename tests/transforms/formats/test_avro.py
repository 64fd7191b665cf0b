"""Avro in blocks, as fastavro writes it: every type comes out as the values that were written, and what is broken is refused or costs its block."""

import bz2
from collections.abc import Callable
import datetime as dt
from decimal import Decimal
import lzma
from pathlib import Path
import random
from typing import Any
from uuid import UUID
import zlib

import fastavro
import pyarrow as pa
import pytest

from configs.errors import InputError
from tests.support.avro_files import (
    MARK,
    encode_block,
    encode_head,
    encode_number,
    encode_rows,
    record_of,
)
from tests.transforms.formats.spans import describe, read_units, rejected_of, table_of
from transforms.formats.avro import AvroFormat
from transforms.formats.column import Column

AVRO = AvroFormat()
UTC = dt.UTC
SMALL = record_of(id="long", s=["null", "string"])
ROWS = [{"id": row, "s": None if row % 5 == 0 else f"t {row}é"} for row in range(1_000)]


def deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def pack_snappy(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="snappy", asbytes=True)
    return packed + zlib.crc32(content).to_bytes(4, "big")


def pack_zstandard(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": deflate,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "snappy": pack_snappy,
    "zstandard": pack_zstandard,
}


def write(path: Path, schema: Any, *blocks: bytes, codec: str = "null") -> Path:
    path.write_bytes(encode_head(schema, codec) + b"".join(blocks))
    return path


def refuse(path: Path, *names: str) -> str:
    with pytest.raises(InputError) as refused:
        AVRO.inspect(describe(path), [Column(name, None) for name in names])
    message = str(refused.value)
    assert "\n" not in message
    return message


def moment(row: int, zone: dt.tzinfo | None = UTC) -> dt.datetime:
    return dt.datetime(1960, 1, 1, 0, 0, 0, 1_000, tzinfo=zone) + dt.timedelta(hours=row)


# By column: its type, and its value in a row.
KINDS: dict[str, tuple[Any, Callable[[int], Any]]] = {
    "id": ("long", lambda row: row - 2**62),
    "small": ("int", lambda row: -row),
    "x": (["double", "null"], lambda row: None if row % 11 == 0 else row / 7),
    "f": ("float", lambda row: row / 8),
    "s": (["null", "string"], lambda row: None if row % 5 == 0 else f"t {row}é"),
    "b": ("bytes", lambda row: bytes([row % 256])),
    "t": ("boolean", lambda row: row % 2 == 0),
    "n": ("null", lambda row: None),
    "e": ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, lambda row: "AB"[row % 2]),
    "again": (["null", "E"], lambda row: None if row % 3 == 0 else "AB"[row % 2]),
    "four": ({"type": "fixed", "name": "F", "size": 4}, lambda row: row.to_bytes(4, "big")),
    "day": (
        {"type": "int", "logicalType": "date"},
        lambda row: dt.date(1969, 12, 1) + dt.timedelta(row),
    ),
    "time": ({"type": "int", "logicalType": "time-millis"}, lambda row: dt.time(row % 24, 3)),
    "finer": (
        ["null", {"type": "long", "logicalType": "time-micros"}],
        lambda row: None if row % 3 == 0 else dt.time(row % 24, 3, 2, 5_001),
    ),
    "at": ({"type": "long", "logicalType": "timestamp-millis"}, moment),
    "micros": (["null", {"type": "long", "logicalType": "timestamp-micros"}], moment),
    "local": (
        {"type": "long", "logicalType": "local-timestamp-micros"},
        lambda row: moment(row, None),
    ),
    "m": (
        ["null", {"type": "bytes", "logicalType": "decimal", "precision": 21, "scale": 2}],
        lambda row: None if row % 7 == 0 else Decimal(row * (-1) ** row) * 10**15 / 4,
    ),
    "wide": (
        {"type": "bytes", "logicalType": "decimal", "precision": 50, "scale": 1},
        lambda row: Decimal(-row) * 10**40,
    ),
    "fixed": (
        {"type": "fixed", "name": "D", "size": 8, "logicalType": "decimal", "precision": 9},
        lambda row: Decimal(-row),
    ),
    "u": ({"type": "string", "logicalType": "uuid"}, lambda row: str(UUID(int=row))),
    "l": (
        ["null", {"type": "array", "items": ["null", "long"]}],
        lambda row: None if row % 9 == 0 else [row, None] * (row % 4),
    ),
    "nested": (
        {"type": "array", "items": {"type": "array", "items": "float"}},
        lambda row: [[row / 2, 1.0], []][: row % 3],
    ),
    "texts": ({"type": "array", "items": "string"}, lambda row: ["é"] * (row % 3)),
}
TYPES = {name: kind for name, (kind, _) in KINDS.items()}
VALUES = [{name: value(row) for name, (_, value) in KINDS.items()} for row in range(400)]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_every_type_comes_out_as_it_was_written(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.avro"
    with path.open("wb") as sink:
        fastavro.writer(sink, record_of(**TYPES), VALUES, codec=codec, sync_interval=4_000)
    units = read_units(path, AVRO, rows_per_unit=100, rows_per_batch=70)
    assert len(units) > 3
    assert table_of(units).to_pylist() == VALUES
    assert rejected_of(units) == {}


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("with_lists", [True, False])
def test_one_column_of_many_is_read_alone(tmp_path: Path, name: str, with_lists: bool) -> None:
    """Without lists beside it, the others are skipped."""
    lists = () if with_lists else ("l", "nested", "texts")
    types = {other: kind for other, kind in TYPES.items() if other == name or other not in lists}
    schema = record_of(**types)
    rows = [{other: row[other] for other in types} for row in VALUES[:50]]
    path = write(tmp_path / "a.avro", schema, encode_block(encode_rows(schema, rows), 50))
    _, found = AVRO.inspect(describe(path), [Column(name, None)])
    units = read_units(path, AVRO, pa.schema([found.field(name)]))
    assert table_of(units)[name].to_pylist() == [row[name] for row in rows]


def test_the_types_are_those_of_the_schema(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avro", record_of(**TYPES))
    _, found = AVRO.inspect(describe(path), [])
    types = {field.name: str(field.type) for field in found}
    assert types["at"] == "timestamp[ms, tz=UTC]"
    assert types["local"] == "timestamp[us]"
    assert types["m"] == "decimal128(21, 2)"
    assert types["wide"] == "decimal256(50, 1)"
    assert types["e"] == types["u"] == "string"
    assert types["small"] == "int32"


@pytest.mark.parametrize("codec", sorted(PACKERS))
def test_blocks_are_unpacked(tmp_path: Path, codec: str) -> None:
    """Of codecs for which fastavro needs more libraries, too."""
    pack = PACKERS[codec]
    first, second = (encode_rows(SMALL, rows) for rows in (ROWS[:600], ROWS[600:]))
    blocks = [encode_block(first, 600, pack), encode_block(second, 400, pack)]
    path = write(tmp_path / "a.avro", SMALL, *blocks, codec=codec)
    units = read_units(path, AVRO, rows_per_unit=100)
    assert len(units) == 2
    assert table_of(units).to_pylist() == ROWS


def test_many_small_blocks_are_put_together_into_batches(tmp_path: Path) -> None:
    blocks = [encode_block(encode_rows(SMALL, [row]), 1) for row in ROWS]
    path = write(tmp_path / "a.avro", SMALL, *blocks)
    (batches,) = read_units(path, AVRO, rows_per_unit=5_000, rows_per_batch=300)
    assert [len(batch) for batch in batches] == [300, 300, 300, 100]
    assert table_of([batches]).to_pylist() == ROWS


def test_a_file_without_rows_is_one_batch_without_rows(tmp_path: Path) -> None:
    for blocks in ([], [encode_block(b"", 0)]):
        ((batch,),) = read_units(write(tmp_path / "a.avro", SMALL, *blocks), AVRO)
        assert not len(batch)
        assert batch.rows.schema.names == ["id", "s"]


def spoil(content: bytes) -> bytes:
    return content[: len(content) // 2] + b"\xff" * 12 + content[len(content) // 2 + 12 :]


@pytest.mark.parametrize("codec", sorted(PACKERS))
def test_a_broken_block_costs_its_rows_alone(tmp_path: Path, codec: str) -> None:
    """Nobody knows where a row begins behind one that is broken, and the next block is found by the mark."""
    parts = [encode_rows(SMALL, ROWS[start : start + 100]) for start in range(0, 300, 100)]
    blocks = [encode_block(part, 100, PACKERS[codec]) for part in parts]
    blocks[1] = encode_block(spoil(PACKERS[codec](parts[1])), 100)
    path = write(tmp_path / "a.avro", SMALL, *blocks, codec=codec)
    units = read_units(path, AVRO, rows_per_unit=5_000)
    assert table_of(units).to_pylist() == [*ROWS[:100], *ROWS[200:300]]
    rejected = rejected_of(units)
    assert sorted(rejected) == list(range(100, 200))
    assert "the block of rows 100 to 199 is broken" in rejected[100]


@pytest.mark.parametrize(
    ("rows", "content"),
    [
        (1, encode_number(7) + encode_number(1) + encode_number(3) + b"abcd"),
        (1, encode_number(7) + encode_number(1) + encode_number(4) + b"abc"),
        (1, encode_number(7) + encode_number(1) + encode_number(-3) + b"abc"),
        (1, encode_number(7) + encode_number(2)),
        (1, b"\xff" * 20),
        (2, encode_number(7) + encode_number(0) + encode_number(7) + encode_number(1)),
    ],
    ids=["longer", "shorter", "negative", "no branch", "no number", "no value"],
)
def test_rows_that_do_not_end_where_their_block_ends_are_none(
    tmp_path: Path, rows: int, content: bytes
) -> None:
    path = write(tmp_path / "a.avro", SMALL, encode_block(content, rows))
    units = read_units(path, AVRO)
    assert len(rejected_of(units)) == rows
    assert table_of(units).num_rows == 0


@pytest.mark.parametrize(
    ("kind", "bad", "words"),
    [
        ("string", encode_number(2) + b"\xff\xfe", "a text is not UTF-8"),
        ("int", encode_number(2**40), "a value is no int"),
        (TYPES["e"], encode_number(-1), "an enum has a symbol"),
        (TYPES["e"], encode_number(2), "an enum has a symbol"),
        (TYPES["time"], encode_number(86_400_000), "a time is not within a day"),
        (TYPES["finer"], encode_number(1) + encode_number(-1), "a time is not within a day"),
        (TYPES["fixed"], (10**9).to_bytes(8, "big"), "a decimal has more than 9 digits"),
        (TYPES["texts"], encode_number(1) + b"\x02\xff\x00", "a text is not UTF-8"),
    ],
)
def test_a_value_that_is_none_costs_its_row(
    tmp_path: Path, kind: Any, bad: bytes, words: str
) -> None:
    name = next((name for name, type_ in TYPES.items() if type_ == kind), "s")
    good = [encode_rows(record_of(v=kind), [{"v": VALUES[row][name]}]) for row in (1, 2)]
    path = write(tmp_path / "a.avro", record_of(v=kind), encode_block(good[0] + bad + good[1], 3))
    units = read_units(path, AVRO)
    assert table_of(units)["v"].to_pylist() == [VALUES[row][name] for row in (1, 2)]
    assert list(rejected_of(units)) == [1]
    assert words in rejected_of(units)[1]


def test_what_no_column_can_be_is_asked_about_by_name_all_at_once(tmp_path: Path) -> None:
    inner = {"type": "record", "name": "R", "fields": [{"name": "q", "type": "long"}]}
    schema = record_of(
        id="long",
        m={"type": "map", "values": "long"},
        r=inner,
        u=["null", "string", "long"],
        d={"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"},
        w=["int", "long"],
    )
    rows = [
        {"id": 1, "m": {"a": 1}, "r": {"q": 5}, "u": "x", "d": bytes(12), "w": 2**40},
        {"id": 2, "m": {}, "r": {"q": 6}, "u": None, "d": bytes(12), "w": 3},
    ]
    path = write(tmp_path / "a.avro", schema, encode_block(encode_rows(schema, rows), 2))
    message = refuse(path, "id", "m", "r", "u", "d")
    for words in ("'m' is a map", "'r' is a record", "'u' is a union of string, long", "'d' is a"):
        assert words in message
    wanted = pa.schema([("w", pa.int64()), ("id", pa.int64())])
    assert table_of(read_units(path, AVRO, wanted)).to_pylist() == [
        {"w": 2**40, "id": 1},
        {"w": 3, "id": 2},
    ]


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avro", SMALL)
    assert "has no column 'idd'; did you mean id?" in refuse(path, "idd")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PAR1....PAR1", "is not an Avro file"),
        (b"Obj\x01", "its head does not end"),
        (b"Obj\x01" + encode_number(1) + encode_number(10**12) + b"avro", "its head does not end"),
        (b"Obj\x01" + encode_number(1) + encode_number(-5) + b"avro", "negative length"),
        (encode_head(b"{", "null"), "no JSON"),
        (encode_head(b"[" * 100_000, "null"), "no JSON"),
        (encode_head("long"), "not a record"),
        (encode_head(SMALL, "lzo"), "packed with 'lzo'"),
        (encode_head(SMALL) + encode_number(5), "is cut"),
        (encode_head(SMALL) + encode_number(-5) + encode_number(0) + MARK, "negative"),
        (encode_head(SMALL) + encode_number(5) + encode_number(10**12), "behind the end"),
        (encode_head(SMALL) + encode_block(b"\0\0", 10**9), "do not fit"),
        (encode_head(SMALL) + encode_block(b"\0\0", 1, mark=bytes(16)), "with the file's mark"),
        (encode_head(SMALL, "deflate") + encode_block(b"\0\0", 10**15), "may be a bomb"),
    ],
)
def test_what_is_no_avro_or_a_lie_is_refused_in_one_line(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "a.avro"
    path.write_bytes(content)
    assert words in refuse(path)


ENDLESS = {
    "itself": record_of(a=["null", "row"]),
    "each other": record_of(
        a={"type": "record", "name": "B", "fields": [{"name": "b", "type": ["null", "row"]}]}
    ),
    "in a list": record_of(a={"type": "array", "items": "row"}),
}


@pytest.mark.parametrize("kind", sorted(ENDLESS))
def test_a_type_that_holds_itself_is_refused(tmp_path: Path, kind: str) -> None:
    assert "holds itself" in refuse(write(tmp_path / "a.avro", ENDLESS[kind]))


def test_schemas_that_stand_for_more_than_they_say_are_refused(tmp_path: Path) -> None:
    deep: Any = "long"
    for _ in range(40):
        deep = {"type": "array", "items": deep}
    assert "nested deeper" in refuse(write(tmp_path / "a.avro", record_of(a=deep)))
    # Each type holds the one before it twice.
    kinds: dict[str, Any] = {"t0": {"type": "record", "name": "T0", "fields": []}}
    for number in range(1, 25):
        fields = [{"name": name, "type": f"T{number - 1}"} for name in "ab"]
        kinds[f"t{number}"] = {"type": "record", "name": f"T{number}", "fields": fields}
    assert "more than 50,000" in refuse(write(tmp_path / "a.avro", record_of(**kinds)))
    for items in ("null", {"type": "fixed", "name": "F", "size": 0}, kinds["t0"]):
        schema = record_of(a={"type": "array", "items": items})
        assert "take no byte" in refuse(write(tmp_path / "a.avro", schema))


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["bzip2", "deflate", "snappy", "xz", "zstandard"])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, codec: str) -> None:
    packed = PACKERS[codec](bytes(65 << 20))
    path = write(tmp_path / "a.avro", SMALL, encode_block(packed, 5), codec=codec)
    with pytest.raises(InputError, match="holds more than 64 MiB"):
        read_units(path, AVRO)


@pytest.mark.parametrize(
    "items",
    ["double", "boolean", {"type": "fixed", "name": "F", "size": 4}, record_of(q="float")],
    ids=["double", "boolean", "fixed", "record"],
)
def test_an_array_that_nobody_wants_and_that_promises_too_many_items_ends(
    tmp_path: Path, items: Any
) -> None:
    """Skipped by its number of items, it would take years."""
    inner = items | {"name": "inner"} if isinstance(items, dict) else items
    schema = record_of(id="long", a={"type": "array", "items": inner}, b="long", c="long")
    content = encode_number(1) + encode_number(10**15)
    path = write(tmp_path / "a.avro", schema, encode_block(content, 1))
    units = read_units(path, AVRO, pa.schema([("id", pa.int64())]))
    assert list(rejected_of(units)) == [0]


def test_a_packed_block_that_promises_too_many_rows_is_refused(tmp_path: Path) -> None:
    block = encode_block(encode_rows(SMALL, ROWS[:5]), 1_000, deflate)
    path = write(tmp_path / "a.avro", SMALL, block, codec="deflate")
    with pytest.raises(InputError, match="promises 1000 rows, which do not fit"):
        read_units(path, AVRO)


def test_a_file_with_wrong_bytes_is_read_or_refused_and_ends_nothing(tmp_path: Path) -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    path = tmp_path / "a.avro"
    with path.open("wb") as sink:
        fastavro.writer(sink, record_of(**TYPES), VALUES[:20], sync_interval=300)
    whole = path.read_bytes()
    refusals = []
    for _ in range(80):
        content = bytearray(whole)
        for _ in range(dice.randint(1, 3)):
            content[dice.randrange(len(content))] = dice.choice([0, 1, 127, 128, 255])
        path.write_bytes(content)
        try:
            units = read_units(path, AVRO)
        except InputError as error:
            refusals.append(str(error))
        else:
            # Each row is one or the other.
            assert table_of(units).num_rows + len(rejected_of(units)) == 20
    assert 5 < len(refusals) < 80
    assert not any("\n" in refusal for refusal in refusals)
