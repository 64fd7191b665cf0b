"""Where the messages of an Arrow IPC file or stream are, and how much each holds, without reading them.

Arrow's reader tells neither how many rows a record batch has nor how much memory it takes before it
is read, so the head of each message is looked at here: a flatbuffer, of which four fields are needed
(https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc).
In a stream they follow each other. In a file there may be anything between them, and the footer tells
where they are.

    file     ARROW1 .. | schema | dictionary | batch |    | batch | footer | its length | ARROW1
    stream               schema | dictionary | batch | dictionary | batch | end
"""

from dataclasses import dataclass
import struct
from typing import Protocol

from configs.errors import InputError

_MARK = b"ARROW1"
_MARK_BYTES = 8
# Feather's first version is another format.
_FEATHER_1 = b"FEA1"
# Stands before the length of a message.
_CONTINUATION = 0xFFFFFFFF
_LENGTHS = struct.Struct("<Ii")
_LONG = struct.Struct("<q")
_LONG_BYTES = 8
_BUFFER = struct.Struct("<qq")
_BLOCK = struct.Struct("<qi4xq")
_FILE_END = struct.Struct("<i6s")
# Of heads that writers make; a schema of ten thousand columns has 2 MB.
_MOST_HEAD_BYTES = 64 << 20
# Kinds of messages.
_SCHEMA = 1
_DICTIONARY = 2
_RECORD_BATCH = 3
# Numbers of fields in the tables that Message.fbs declares.
_MESSAGE_KIND = 1
_MESSAGE_HEADER = 2
_MESSAGE_BODY = 3
_BATCH_ROWS = 0
_BATCH_BUFFERS = 2
_BATCH_COMPRESSION = 3
_DICTIONARY_DATA = 1
_FOOTER_VERSION = 0
_FOOTER_SCHEMA = 1
_FOOTER_DICTIONARIES = 2
_FOOTER_BATCHES = 3
# A message without a body: where its table begins; sizes of the list of its fields and of the table,
# and where in it the fields are; the table, with the reference to the schema; up to eight bytes.
_MESSAGE_START = struct.Struct("<I6HiIqhB5x")
_TABLE_PLACE = 16
_FIELDS_BYTES = 12
_TABLE_BYTES = 20
# Of version, kind, header and length of the body, in that order; and how far the list is before the table.
_FIELD_PLACES = (16, 18, 4, 8)
_FIELDS_BEFORE_TABLE = 12
# Of the reference to the schema, which the header is.
_REFERENCE_PLACE = 20
_NO_BODY = 0


class Stored(Protocol):
    """The bytes of a file; `csv_bytes.StoredBytes` is one."""

    @property
    def size(self) -> int:
        """Return how many there are."""

    def read_at(self, position: int, size: int) -> bytes:
        """Return at least one byte, at most `size`, from there on."""


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        start, stop: where its bytes are.
        is_dictionary: whether it holds a dictionary, and not rows.
        rows: of a record batch.
        decoded_bytes: of its body in memory.
    """

    start: int
    stop: int
    is_dictionary: bool
    rows: int
    decoded_bytes: int


@dataclass(frozen=True)
class Layout:
    """The messages of a file.

    Attributes:
        schema: the message that a stream of these messages begins with.
        messages: dictionaries and record batches, in their order.
    """

    schema: bytes
    messages: tuple[Message, ...]

    @property
    def batches(self) -> tuple[Message, ...]:
        """Return the record batches."""
        return tuple(message for message in self.messages if not message.is_dictionary)


@dataclass(frozen=True)
class _Head:
    """The head of a message, and where it is and its body ends."""

    start: int
    kind: int
    body_start: int
    stop: int
    header: "_Table"


def find_messages(url: str, stored: Stored) -> Layout:
    """Return where the messages of a file are.

    Args:
        url: the file, for errors.
        stored: its bytes.

    Raises:
        InputError: it is no Arrow IPC, or is cut or broken.
    """
    start = _read(stored, 0, _MARK_BYTES)
    if start.startswith(_FEATHER_1):
        raise InputError(
            f"{url}: is Feather's first version, which nobody writes any more; "
            "read it with pandas and write it again"
        )
    try:
        if start.startswith(_MARK):
            return _read_file(url, stored)
        return _read_stream(url, stored)
    except (struct.error, IndexError, OverflowError) as error:
        raise InputError(
            f"{url}: is not an Arrow IPC file or stream, or is broken: "
            "the head of a message cannot be read; check source.format, or replace the file"
        ) from error


def _read_file(url: str, stored: Stored) -> Layout:
    """Find the messages of a file, by its footer."""
    end = stored.size - _FILE_END.size
    length, mark = _FILE_END.unpack(_read(stored, end, _FILE_END.size))
    start = end - length
    if mark != _MARK or not 0 < length <= _MOST_HEAD_BYTES or start < _MARK_BYTES:
        raise _refuse(url, "it has no footer, so it was cut")
    footer = _open_root(_read(stored, start, length))
    schema = _wrap_schema(footer)
    places = []
    for number in (_FOOTER_DICTIONARIES, _FOOTER_BATCHES):
        if footer.has(number):
            places += footer.read_structs(number, _BLOCK)
    messages: list[Message] = []
    for position, _, _ in places:
        head = _read_head(url, stored, position)
        if head is None:
            raise _refuse(url, "its footer names a message that is none")
        messages.append(_look_at(url, stored, head))
    return Layout(schema, tuple(messages))


def _read_stream(url: str, stored: Stored) -> Layout:
    """Find the messages of a stream, one behind the other."""
    first = _read_head(url, stored, 0)
    if first is None or first.kind != _SCHEMA:
        raise _refuse(url, "it does not begin with a schema")
    schema = _read(stored, 0, first.stop)
    position = first.stop
    messages: list[Message] = []
    while True:
        head = _read_head(url, stored, position)
        # Behind the last one stands a length of zero.
        if head is None:
            return Layout(schema, tuple(messages))
        messages.append(_look_at(url, stored, head))
        position = head.stop


def _wrap_schema(footer: "_Table") -> bytes:
    """Return the schema of a footer as a message: not every writer puts it before the rows, too.

    References in a flatbuffer lead forward from where they stand, so the whole footer is put behind
    the few bytes that a message begins with, and one of them leads to the schema in it.
    """
    version = footer.read_short(_FOOTER_VERSION)
    schema = footer.open_table(_FOOTER_SCHEMA)
    reference = _MESSAGE_START.size + schema.place - _REFERENCE_PLACE
    start = _MESSAGE_START.pack(
        _TABLE_PLACE,
        _FIELDS_BYTES,
        _TABLE_BYTES,
        *_FIELD_PLACES,
        _FIELDS_BEFORE_TABLE,
        reference,
        _NO_BODY,
        version,
        _SCHEMA,
    )
    head = start + footer.content
    # Messages begin at multiples of eight bytes.
    head += bytes(-len(head) % _LONG_BYTES)
    return _LENGTHS.pack(_CONTINUATION, len(head)) + head


def _read_head(url: str, stored: Stored, position: int) -> _Head | None:
    start = _read(stored, position, _LENGTHS.size)
    # Without an end nobody knows whether more rows were to come.
    if len(start) < _LENGTHS.size:
        raise _refuse(url, "it does not end as it should, so it was cut or its writer stopped")
    continuation, head_bytes = _LENGTHS.unpack(start)
    if continuation != _CONTINUATION:
        raise _refuse(url, "a message does not begin as messages do")
    if head_bytes == 0:
        return None
    if not 0 < head_bytes <= _MOST_HEAD_BYTES:
        raise _refuse(url, "the head of a message has an impossible length")
    head_start = position + _LENGTHS.size
    content = _read(stored, head_start, head_bytes)
    message = _open_root(content)
    body_bytes = message.read_long(_MESSAGE_BODY)
    body_start = head_start + head_bytes
    stop = body_start + body_bytes
    if body_bytes < 0 or stop > stored.size:
        raise _refuse(url, "it ends before its last message does, so it was cut")
    kind = message.read_byte(_MESSAGE_KIND)
    return _Head(position, kind, body_start, stop, message.open_table(_MESSAGE_HEADER))


def _look_at(url: str, stored: Stored, head: _Head) -> Message:
    """Return what a dictionary or record batch holds."""
    if head.kind not in (_DICTIONARY, _RECORD_BATCH):
        raise _refuse(url, "it holds a message that is neither rows nor a dictionary")
    is_dictionary = head.kind == _DICTIONARY
    batch = head.header
    if is_dictionary:
        batch = batch.open_table(_DICTIONARY_DATA)
    rows = batch.read_long(_BATCH_ROWS)
    if rows < 0:
        raise IndexError("a negative number of rows")
    decoded_bytes = head.stop - head.body_start
    if batch.has(_BATCH_COMPRESSION):
        decoded_bytes = _count_decoded_bytes(stored, head, batch)
    return Message(head.start, head.stop, is_dictionary, rows, decoded_bytes)


def _count_decoded_bytes(stored: Stored, head: _Head, batch: "_Table") -> int:
    """Return the sum of what compressed buffers say that they hold, in their first eight bytes."""
    total = 0
    for offset, length in batch.read_structs(_BATCH_BUFFERS, _BUFFER):
        if length < _LONG_BYTES:
            continue
        content = _read(stored, head.body_start + offset, _LONG_BYTES)
        (decoded_bytes,) = _LONG.unpack(content)
        # -1 says that the buffer is not compressed.
        total += max(decoded_bytes, length)
    return total


def _read(stored: Stored, position: int, size: int) -> bytes:
    """Return the bytes of a place, fewer where the file ends before."""
    if position < 0:
        raise IndexError("a negative position")
    left = stored.size - position
    wanted = min(size, left)
    parts = []
    while wanted > 0:
        part = stored.read_at(position, wanted)
        parts.append(part)
        position += len(part)
        wanted -= len(part)
    return b"".join(parts)


def _refuse(url: str, why: str) -> InputError:
    return InputError(
        f"{url}: is not an Arrow IPC file or stream, or is broken: {why}; "
        "check source.format, or replace the file"
    )


@dataclass(frozen=True)
class _Table:
    """A table of a flatbuffer: fields by number, each of which may be left out.

    Attributes:
        content: the whole flatbuffer.
        place: where the table begins in it.
    """

    content: bytes
    place: int

    def has(self, number: int) -> bool:
        """Tell whether a field is there."""
        return self._find(number) is not None

    def read_byte(self, number: int) -> int:
        """Return a field of one byte, 0 by default."""
        place = self._find(number)
        if place is None:
            return 0
        return self.content[place]

    def read_short(self, number: int) -> int:
        """Return a field of two bytes, 0 by default."""
        place = self._find(number)
        if place is None:
            return 0
        (value,) = struct.unpack_from("<h", self.content, place)
        return int(value)

    def read_long(self, number: int) -> int:
        """Return a field of eight bytes, 0 by default."""
        place = self._find(number)
        if place is None:
            return 0
        (value,) = _LONG.unpack_from(self.content, place)
        return int(value)

    def open_table(self, number: int) -> "_Table":
        """Return a table inside this one."""
        place = self._follow(number)
        return _Table(self.content, place)

    def read_structs(
        self,
        number: int,
        struct_format: struct.Struct,
    ) -> list[tuple[int, ...]]:
        """Return a vector of structs.

        Args:
            number: of the field.
            struct_format: of each of them.
        """
        place = self._follow(number)
        (count,) = struct.unpack_from("<I", self.content, place)
        first = place + 4
        stop = first + count * struct_format.size
        # Before anything of that size is made.
        if stop > len(self.content):
            raise IndexError("a vector ends behind its buffer")
        return list(struct_format.iter_unpack(self.content[first:stop]))

    def _follow(self, number: int) -> int:
        place = self._find(number)
        if place is None:
            raise IndexError("a field is missing")
        (distance,) = struct.unpack_from("<I", self.content, place)
        return place + int(distance)

    def _find(self, number: int) -> int | None:
        (distance,) = struct.unpack_from("<i", self.content, self.place)
        fields = self.place - distance
        if fields < 0:
            raise IndexError("a table of fields lies before its buffer")
        (fields_bytes,) = struct.unpack_from("<H", self.content, fields)
        # Behind its own length and that of the table.
        entry = 4 + 2 * number
        if entry >= fields_bytes:
            return None
        (offset,) = struct.unpack_from("<H", self.content, fields + entry)
        return self.place + offset if offset else None


def _open_root(content: bytes) -> _Table:
    (place,) = struct.unpack_from("<I", content, 0)
    return _Table(content, int(place))
