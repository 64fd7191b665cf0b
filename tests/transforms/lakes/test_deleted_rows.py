"""Deleted rows as logs tell them: vectors of Delta and Iceberg, in a file or in the log, and files of positions."""

from pathlib import Path
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from tests.support.delta_tables import encode_z85
from transforms.lakes import deleted_rows
from transforms.lakes.deleted_rows import decode_z85, read_deleted
from transforms.lakes.snapshot import Deletions

ROWS = [1, 4, 70_000]
COUNT = 70_001
# The specifications write the same number, one as a decimal and one as bytes.
MAGIC = {"delta": 1681511377, "puffin": 0x6439D3D1}
DATA = "/t/a.parquet"


def bitmap(rows: list[int]) -> bytes:
    """Write a bitmap as the specification says, a container of numbers for each 65,536 rows."""
    keys = sorted({row >> 16 for row in rows})
    members = {key: [row & 0xFFFF for row in rows if row >> 16 == key] for key in keys}
    heads = b"".join(
        key.to_bytes(2, "little") + (len(members[key]) - 1).to_bytes(2, "little") for key in keys
    )
    offsets = bytes(4 * len(keys))
    numbers = b"".join(np.array(members[key], "<u2").tobytes() for key in keys)
    part = (12346).to_bytes(4, "little") + len(keys).to_bytes(4, "little")
    upper = bytes(4)
    return (1).to_bytes(8, "little") + upper + part + heads + offsets + numbers


def content_of(kind: str, rows: list[int]) -> bytes:
    return MAGIC[kind].to_bytes(4, "little") + bitmap(rows)


def write_vector(folder: Path, kind: str, offset: int = 0, rows: list[int] = ROWS) -> Deletions:
    """Write a vector with its length before it and its checksum behind it."""
    content = content_of(kind, rows)
    blob = len(content).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")
    path = folder / f"{kind}.bin"
    path.write_bytes(bytes(offset) + blob + b"more")
    size = len(content) if kind == "delta" else len(blob)
    return Deletions(kind, str(path), offset, size, rows=len(rows))


@pytest.mark.parametrize("kind", ["delta", "puffin"])
@pytest.mark.parametrize("offset", [0, 1, 9])
def test_a_vector_is_read_where_it_stands(tmp_path: Path, kind: str, offset: int) -> None:
    told = write_vector(tmp_path, kind, offset)
    found = read_deleted(DATA, [told], COUNT)
    assert found.tolist() == ROWS
    assert found.dtype == np.int64


def test_a_vector_may_stand_in_the_log() -> None:
    content = content_of("delta", ROWS)
    padded = content + bytes(-len(content) % 4)
    told = Deletions("delta", bytes=len(content), inline=encode_z85(padded), rows=None)
    assert read_deleted(DATA, [told], COUNT).tolist() == ROWS


def test_a_row_that_several_delete_is_deleted_once(tmp_path: Path) -> None:
    one = write_vector(tmp_path, "delta")
    other = write_vector(tmp_path, "puffin", rows=[0, 4])
    assert read_deleted(DATA, [one, other], COUNT).tolist() == [0, *ROWS]
    nothing = read_deleted(DATA, [], COUNT)
    assert nothing.tolist() == []
    assert nothing.dtype == np.int64


@pytest.mark.parametrize("kind", ["delta", "puffin"])
def test_what_is_altered_is_refused(tmp_path: Path, kind: str) -> None:
    told = write_vector(tmp_path, kind)
    path = Path(told.url)
    good = path.read_bytes()
    end = len(good) - len(b"more")
    why = rf"^{DATA}: its deleted rows in {path} are not readable: what is there "
    # Its length, its bytes, its checksum.
    for place, reason in ((3, "is cut short"), (10, "is altered"), (end - 1, "is altered")):
        broken = bytearray(good)
        broken[place] ^= 1
        path.write_bytes(broken)
        with pytest.raises(InputError, match=why + reason):
            read_deleted(DATA, [told], COUNT)
    path.write_bytes(good[: end - 1])
    with pytest.raises(InputError, match=why + "is cut short"):
        read_deleted(DATA, [told], COUNT)
    path.write_bytes(good[:end])
    assert read_deleted(DATA, [told], COUNT).tolist() == ROWS
    path.unlink()
    with pytest.raises(InputError, match=rf"in {path} cannot be read: No such file"):
        read_deleted(DATA, [told], COUNT)


def test_a_vector_is_of_its_kind_and_of_as_many_rows_as_the_log_says(tmp_path: Path) -> None:
    told = write_vector(tmp_path, "puffin")
    strange = b"abcd" + bitmap(ROWS)
    padded = strange + bytes(-len(strange) % 4)
    other = Deletions("delta", bytes=len(strange), inline=encode_z85(padded))
    with pytest.raises(InputError, match="is no deletion vector"):
        read_deleted(DATA, [other], COUNT)
    more = Deletions("puffin", told.url, 0, told.bytes, rows=4)
    with pytest.raises(InputError, match="deletes 3 rows, and the log says 4"):
        read_deleted(DATA, [more], COUNT)
    with pytest.raises(InputError, match="a row that the file does not have"):
        read_deleted(DATA, [told], COUNT - 1)
    inline = Deletions("delta", bytes=4, inline="0" * 5)
    with pytest.raises(InputError, match="its deleted rows in the log are not readable"):
        read_deleted(DATA, [inline], COUNT)


@pytest.mark.parametrize("kind", ["delta", "puffin"])
def test_a_vector_is_as_large_as_is_said(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deleted_rows._MOST_BYTES == 256 * 1024**2
    told = write_vector(tmp_path, kind)
    # Of Delta, without its length and its checksum.
    whole = told.bytes + (8 if kind == "delta" else 0)
    monkeypatch.setattr(deleted_rows, "_MOST_BYTES", whole)
    assert read_deleted(DATA, [told], COUNT).tolist() == ROWS
    monkeypatch.setattr(deleted_rows, "_MOST_BYTES", whole - 1)
    with pytest.raises(InputError, match=f"is larger than {whole - 1} bytes"):
        read_deleted(DATA, [told], COUNT)


def write_positions(path: Path, paths: list[str | None], places: list[int | None]) -> Deletions:
    table = pa.table({"file_path": paths, "pos": pa.array(places, pa.int64()), "row": paths})
    pq.write_table(table, path)
    return Deletions("positions", str(path), inline=DATA)


def test_positions_are_those_of_the_data_file(tmp_path: Path) -> None:
    paths = [DATA, "/t/b.parquet", DATA, DATA, None]
    told = write_positions(tmp_path / "d.parquet", paths, [9, 5, 0, 9, 7])
    assert read_deleted(DATA, [told], 10).tolist() == [0, 9]
    with pytest.raises(InputError, match="names a row that the file does not have"):
        read_deleted(DATA, [told], 9)
    nothing = write_positions(tmp_path / "d.parquet", ["/t/b.parquet"], [5])
    assert read_deleted(DATA, [nothing], 1).tolist() == []


@pytest.mark.parametrize(
    ("place", "why"),
    [(-1, "names a row that the file does not have"), (None, "has a row without a position")],
)
def test_a_position_is_a_row(tmp_path: Path, place: int | None, why: str) -> None:
    told = write_positions(tmp_path / "d.parquet", [DATA, DATA], [3, place])
    with pytest.raises(InputError, match=why):
        read_deleted(DATA, [told], 10)


@pytest.mark.parametrize("names", [["file_path", "x"], ["x", "pos"], ["x", "y"]])
def test_positions_have_two_columns(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table([[DATA], [1]], names=names), path)
    with pytest.raises(InputError, match="has no columns file_path and pos"):
        read_deleted(DATA, [Deletions("positions", str(path), inline=DATA)], 10)


@pytest.mark.parametrize(
    "content", [b"", b"\x86\x4f\xd2\x6f\xb5\x59\xf7\x5b", bytes(4), b"\xff" * 4]
)
def test_texts_in_base_85_are_bytes_again(content: bytes) -> None:
    assert decode_z85(encode_z85(content)) == content


@pytest.mark.parametrize("text", ["Hell", "HelloW", "~" * 5, "#" * 5, "Hell "])
def test_what_is_no_text_in_base_85(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no text in base 85|substring not found|not found"):
        decode_z85(text)
