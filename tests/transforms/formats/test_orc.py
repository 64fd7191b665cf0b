"""ORC in stripes, as pyarrow writes it; broken files are refused in one line."""

from pathlib import Path
import random

import pyarrow as pa
from pyarrow import orc
import pytest

from configs.errors import InputError
from tests.transforms.formats.decoded_here import decode_here
from tests.transforms.formats.spans import describe, make_rows, read_units, table_of
from transforms.formats.column import Column
from transforms.formats.orc import OrcFormat
from transforms.formats.orc_footer import _find_sum, count_decoded_bytes, read_footer

ORC = OrcFormat()
# ORC has no types of moments but nanoseconds.
ROWS = make_rows(70_000).set_column(4, "at", make_rows(70_000)["at"].cast(pa.timestamp("ns")))


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    decode_here(monkeypatch)


@pytest.mark.parametrize("compression", ["uncompressed", "zlib", "zstd", "snappy", "lz4"])
def test_stripes_are_read_in_spans(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.orc"
    orc.write_table(ROWS, path, compression=compression, stripe_size=100_000)
    stripes = orc.ORCFile(path).nstripes
    assert stripes > 1
    units = read_units(path, ORC, rows_per_unit=1, rows_per_batch=10_000)
    assert len(units) == stripes
    assert table_of(units).equals(ROWS)
    assert len(read_units(path, ORC, rows_per_unit=100_000)) == 1


def test_columns_are_chosen_in_another_order_and_missed_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.orc"
    orc.write_table(ROWS.slice(0, 50), path)
    schema = pa.schema([ROWS.schema.field("s"), ROWS.schema.field("id")])
    assert table_of(read_units(path, ORC, schema)).equals(ROWS.slice(0, 50).select(["s", "id"]))
    with pytest.raises(InputError, match=r"has no column 'idd'; did you mean id\?"):
        ORC.inspect(describe(path), [Column("idd", None)])


def test_a_file_without_rows_is_one_batch_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.orc"
    orc.write_table(ROWS.slice(0, 0), path)
    ((batch,),) = read_units(path, ORC)
    assert batch.rows.schema == ROWS.schema
    assert not len(batch)


REPEATED = {
    "texts": pa.array(["x" * 20_000] * 200),
    "bytes": pa.array([b"x" * 20_000] * 200),
    "lists": pa.array([[0] * 2_500] * 200, pa.list_(pa.int64())),
}


@pytest.mark.parametrize("compression", ["zlib", "zstd", "snappy", "lz4"])
@pytest.mark.parametrize("kind", sorted(REPEATED))
def test_texts_and_lists_that_repeat_are_counted_as_they_are_in_memory(
    tmp_path: Path, compression: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.orc"
    rows = pa.table({"v": REPEATED[kind]})
    orc.write_table(rows, path, compression=compression, dictionary_key_size_threshold=1.0)
    with path.open("rb") as file:
        told = count_decoded_bytes(read_footer(file, orc.ORCFile(path)))
    assert 0.9 < told / rows.nbytes < 1.1
    monkeypatch.setattr("transforms.formats.orc._BOMB_BYTES", 1 << 20)
    with pytest.raises(InputError, match="may be a bomb"):
        OrcFormat(max_expansion=2).inspect(describe(path), [])
    OrcFormat(max_expansion=100_000).inspect(describe(path), [])


def test_what_a_file_comes_to_is_told_of_every_type(tmp_path: Path) -> None:
    path = tmp_path / "a.orc"
    orc.write_table(ROWS, path)
    with path.open("rb") as file:
        told = count_decoded_bytes(read_footer(file, orc.ORCFile(path)))
    # Missing values take room in memory alone.
    assert 0.7 < told / ROWS.nbytes < 1.1


@pytest.mark.parametrize("content", [b"ORC", b"PAR1....PAR1", b"id,x\n1,2\n", b"\xff" * 60])
def test_what_is_no_orc_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.orc"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as ORC") as refused:
        ORC.inspect(describe(path), [])
    assert "\n" not in str(refused.value)


def test_a_file_with_wrong_bytes_is_read_or_refused_and_ends_nothing(tmp_path: Path) -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    path = tmp_path / "a.orc"
    orc.write_table(ROWS.slice(0, 40), path, compression="zstd")
    whole = path.read_bytes()
    refusals = []
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(dice.randint(1, 3)):
            content[dice.randrange(len(content))] = dice.choice([0, 1, 127, 128, 255])
        path.write_bytes(content)
        try:
            read_units(path, ORC)
        except InputError as error:
            refusals.append(str(error))
    assert 10 < len(refusals) < 200
    assert not any("\n" in refusal for refusal in refusals)


@pytest.mark.parametrize("block_bytes", [(1 << 23) + 1, 1 << 40, (1 << 63) + 5])
def test_a_file_that_asks_for_more_room_than_a_piece_has_is_refused_before_arrow_ends_the_process(
    tmp_path: Path, block_bytes: int
) -> None:
    path = tmp_path / "a.orc"
    columns = {f"c{number}": ["x"] * 100 for number in range(80)}
    orc.write_table(pa.table(columns), path, compression="snappy")
    stored = path.read_bytes()
    postscript_bytes = stored[-1]
    postscript = stored[-1 - postscript_bytes : -1]
    # The same field once more, behind all others, where it counts.
    asked = postscript + b"\x18" + _varint(block_bytes)
    path.write_bytes(stored[: -1 - postscript_bytes] + asked + bytes([len(asked)]))
    with pytest.raises(InputError, match="cannot be read as ORC: its postscript is broken"):
        ORC.inspect(describe(path), [])


@pytest.mark.parametrize("compression", ["uncompressed", "zlib"])
def test_columns_deep_inside_others_are_refused_before_arrow_looks(
    tmp_path: Path, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.orc"
    dtype = pa.int64()
    for _ in range(210):
        dtype = pa.list_(dtype)
    orc.write_table(pa.table({"deep": pa.nulls(3, dtype)}), path, compression=compression)
    # Of ten thousand levels it would end the process.
    monkeypatch.delattr("transforms.formats.orc.paorc.ORCFile")
    with pytest.raises(InputError, match=r"a\.orc: cannot be read as ORC: its footer is broken"):
        ORC.inspect(describe(path), [])


def test_a_sum_of_less_than_nothing_takes_nothing_from_other_columns() -> None:
    # Texts (4): their sum (3), -50.
    assert _find_sum(b"\x22\x02\x18\x63", 4, 3) == 0
    assert _find_sum(b"\x22\x02\x18\x64", 4, 3) == 50


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
