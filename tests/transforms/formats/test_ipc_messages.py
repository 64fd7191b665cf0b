"""Where the messages of Arrow IPC are, against Arrow's own reader; heads that are wrong are refused."""

from collections.abc import Callable
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError
from transforms.formats import ipc_messages
from transforms.formats.ipc_messages import Layout, _open_root, _read, find_messages

WORDS = pa.array(["a", "b", None, "a"]).dictionary_encode()
TABLE = pa.table({"x": pa.array([1, 2, 3, 4], pa.int64()), "word": WORDS})


class Content:
    """Bytes of a file, of which at most some are given at once."""

    def __init__(self, content: bytes, most: int = 1 << 30) -> None:
        self._content = content
        self._most = most
        self.size = len(content)

    def read_at(self, position: int, size: int) -> bytes:
        return self._content[position : position + min(size, self._most)]


def write(kind: str, batches: int = 2, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with make(sink, TABLE.schema, options=options) as writer:
        for number in range(batches):
            writer.write_table(TABLE.slice(number))
    return sink.getvalue()


def find(content: bytes, most: int = 1 << 30) -> Layout:
    return find_messages("/in/a", Content(content, most))


def read_again(content: bytes, layout: Layout) -> pa.Table:
    """Read the messages of a layout as a stream, as scoring does."""
    parts = [content[message.start : message.stop] for message in layout.messages]
    stream = layout.schema + b"".join(parts)
    return pa.ipc.open_stream(stream).read_all()


@pytest.mark.parametrize("compression", [None, "zstd"])
@pytest.mark.parametrize("kind", ["file", "stream"])
@pytest.mark.parametrize("most", [3, 1 << 30])
def test_messages_are_where_they_are(kind: str, compression: str | None, most: int) -> None:
    content = write(kind, compression=compression)
    layout = find(content, most)
    assert [message.rows for message in layout.batches] == [4, 3]
    kinds = [message.is_dictionary for message in layout.messages]
    assert kinds == [True, False, False]
    again = read_again(content, layout)
    assert again.equals(pa.concat_tables([TABLE, TABLE.slice(1)]))
    assert again.schema == TABLE.schema


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_file_without_rows_has_a_schema(kind: str) -> None:
    layout = find(write(kind, batches=0))
    assert layout.batches == ()
    assert pa.ipc.open_stream(layout.schema).schema == TABLE.schema


def test_decoded_bytes_are_those_of_the_buffers() -> None:
    long = pa.table({"x": np.zeros(10_000)})
    sizes = {}
    for compression in (None, "zstd"):
        sink = io.BytesIO()
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_file(sink, long.schema, options=options) as writer:
            writer.write_table(long)
        (message,) = find(sink.getvalue()).batches
        sizes[compression] = (message.decoded_bytes, message.stop - message.start)
    assert sizes[None][0] == 80_000
    assert sizes["zstd"][0] == 80_000
    assert sizes["zstd"][1] < 1_000


def test_a_buffer_that_is_not_compressed_counts_as_it_is() -> None:
    # Random bytes become no smaller, and Arrow leaves them as they are.
    random = np.random.default_rng(0).integers(0, 255, 5_000, dtype=np.uint8)
    table = pa.table({"x": random})
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd"))
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    (message,) = find(sink.getvalue()).batches
    assert 5_000 <= message.decoded_bytes < 5_100


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"FEA1" + bytes(20), "is Feather's first version"),
        (b"", "it does not end as it should"),
        (b"\xff\xff\xff\xff\x08\0\0", "it does not end as it should"),
        (b"\0\0\0\0\x08\0\0\0", "a message does not begin as messages do"),
        (b"\xff\xff\xff\xff\0\0\0\0", "it does not begin with a schema"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff", "the head of a message has an impossible length"),
        (b"ARROW1\0\0", "the head of a message cannot be read"),
        (b"ARROW1\0\0" + bytes(10), "it has no footer, so it was cut"),
        (b"ARROW1\0\0" + bytes(10) + b"ARROW1", "it has no footer"),
        (b"ARROW1\0\0\x09\0\0\0ARROW1", "it has no footer"),
    ],
)
def test_what_is_none_is_refused_by_what_is_wrong(content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        find(content)


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_wherever_it_is_cut_it_is_refused(kind: str) -> None:
    content = write(kind)
    whole = content[: len(content) - (8 if kind == "stream" else 0)]
    for length in range(0, len(whole), 7):
        with pytest.raises(InputError, match=r"^/in/a: is not an Arrow IPC file or stream"):
            find(whole[:length])


def test_a_head_is_as_long_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("file", "stream"):
        content = write(kind)
        lengths = [int.from_bytes(content[at : at + 4], "little") for at in find_heads(content)]
        longest = max(lengths)
        if kind == "file":
            longest = max(longest, int.from_bytes(content[-10:-6], "little"))
        monkeypatch.setattr(ipc_messages, "_MOST_HEAD_BYTES", longest)
        assert len(find(content).batches) == 2
        monkeypatch.setattr(ipc_messages, "_MOST_HEAD_BYTES", longest - 1)
        with pytest.raises(InputError, match=r"impossible length|no footer"):
            find(content)


def find_heads(content: bytes) -> list[int]:
    """Return where the length of each head stands that begins at a multiple of eight."""
    marks = [at for at in range(0, len(content) - 8, 8) if content[at : at + 4] == b"\xff" * 4]
    return [at + 4 for at in marks if 0 < int.from_bytes(content[at + 4 : at + 8], "little") < 5000]


def test_bytes_that_are_not_there_are_fewer() -> None:
    stored = Content(b"abcdef", most=2)
    assert _read(stored, 1, 4) == b"bcde"
    assert _read(stored, 4, 9) == b"ef"
    assert _read(stored, 9, 1) == b""
    assert _read(stored, 0, 1) == b"a"
    with pytest.raises(IndexError, match="a negative position"):
        _read(stored, -1, 4)


def table_of(*offsets: int, values: bytes = b"", fields_bytes: int | None = None) -> bytes:
    """Write a flatbuffer: its root, the list of its fields, and a table of these values."""
    count = 4 + 2 * len(offsets) if fields_bytes is None else fields_bytes
    fields = count.to_bytes(2, "little") + bytes(2)
    fields += b"".join(offset.to_bytes(2, "little") for offset in offsets)
    place = 4 + len(fields)
    distance = place - 4
    return place.to_bytes(4, "little") + fields + distance.to_bytes(4, "little") + values


def test_a_field_that_is_left_out_has_its_default() -> None:
    values = bytes([7]) + (-2).to_bytes(2, "little", signed=True)
    values += (-3).to_bytes(8, "little", signed=True)
    table = _open_root(table_of(4, 5, 7, 0, values=values))
    assert [table.has(number) for number in range(6)] == [True, True, True, False, False, False]
    assert (table.read_byte(0), table.read_byte(3), table.read_byte(9)) == (7, 0, 0)
    assert (table.read_short(1), table.read_short(3)) == (-2, 0)
    assert (table.read_long(2), table.read_long(3)) == (-3, 0)
    with pytest.raises(IndexError, match="a field is missing"):
        table.open_table(3)


def test_a_list_of_fields_lies_in_its_buffer() -> None:
    content = bytearray(table_of(4, values=b"\x07"))
    place = int.from_bytes(content[:4], "little")
    # As far back as its first byte, and one byte before it.
    content[place : place + 4] = place.to_bytes(4, "little")
    assert not _open_root(bytes(content)).has(40)
    content[place : place + 4] = (place + 1).to_bytes(4, "little")
    with pytest.raises(IndexError, match="lies before its buffer"):
        _open_root(bytes(content)).has(0)


@pytest.mark.parametrize(("count", "is_read"), [(2, True), (3, False), (1 << 31, False)])
def test_a_vector_ends_in_its_buffer(count: int, is_read: bool) -> None:
    pairs = np.array([1, 2, 3, 4], "<i8").tobytes()
    values = (4).to_bytes(4, "little") + count.to_bytes(4, "little") + pairs
    table = _open_root(table_of(4, values=values))
    if is_read:
        found = table.read_structs(0, ipc_messages._BUFFER)
        assert found == [(1, 2), (3, 4)]
        return
    with pytest.raises(IndexError, match="ends behind its buffer"):
        table.read_structs(0, ipc_messages._BUFFER)


def head_of(kind: int, **fields: Any) -> Any:
    """Stand in for the head of a message."""
    numbers = {ipc_messages._BATCH_ROWS: fields.get("rows", 0)}
    header = SimpleNamespace(read_long=numbers.__getitem__, has=lambda number: False)
    header.open_table = lambda number: header
    return SimpleNamespace(kind=kind, start=0, body_start=8, stop=24, header=header)


@pytest.mark.parametrize(("rows", "is_taken"), [(0, True), (3, True), (-1, False)])
def test_rows_are_counted_from_0(rows: int, is_taken: bool) -> None:
    look: Callable[[], Any] = lambda: ipc_messages._look_at(  # noqa: E731 - said twice
        "/in/a", Content(b""), head_of(ipc_messages._RECORD_BATCH, rows=rows)
    )
    if is_taken:
        found = look()
        assert (found.rows, found.is_dictionary, found.decoded_bytes) == (rows, False, 16)
        return
    with pytest.raises(IndexError, match="negative number of rows"):
        look()


def test_other_messages_are_refused() -> None:
    with pytest.raises(InputError, match="neither rows nor a dictionary"):
        ipc_messages._look_at("/in/a", Content(b""), head_of(ipc_messages._SCHEMA))
    found = ipc_messages._look_at("/in/a", Content(b""), head_of(ipc_messages._DICTIONARY))
    assert found.is_dictionary
