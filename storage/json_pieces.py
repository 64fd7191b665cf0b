"""Large JSON objects, of whose lists some items at a time are written, and one at a time is read.

What `json` makes of a list of a hundred thousand entries takes ten times their size in the file; here
only some hundred are objects at once. What is written is what `json.dumps` writes, byte by byte.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
import io
import json
from json import JSONDecodeError, JSONDecoder, JSONEncoder
import re
from typing import Any, TypeAlias

from storage.few_ahead import take_some
from storage.packed import pack_many

# As JSON holds it.
Fields: TypeAlias = dict[str, Any]

# Written together: `json` prepares itself for each call as long as it takes to write some items.
_ITEMS_AT_ONCE = 256
_decode = JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\n\r]*")
# Each mark with the white space on both of its sides: looked for at every item of a list.
_MARKS = {mark: re.compile(rf"[ \t\n\r]*\{mark}[ \t\n\r]*") for mark in "{}[],:"}
_TOO_DEEP = "lists or objects stand too deep inside each other"
# Without spaces: a plan may hold a million units. Made once, as `json` would make it for each of them.
_encode = JSONEncoder(separators=(",", ":")).encode


def encode_fields(fields: Mapping[str, Any]) -> bytes:
    """Return an object as JSON without spaces.

    Args:
        fields: by name; a sequence or an iterator becomes a list.
    """
    sink = io.BytesIO()
    sink.write(b"{")
    before = ""
    for name, value in fields.items():
        key = json.dumps(name)
        sink.write(f"{before}{key}:".encode())
        before = ","
        for text in _encode_value(value):
            sink.write(text.encode())
    sink.write(b"}")
    return sink.getvalue()


def parse_json(content: bytes | str) -> Any:
    """Return what JSON of a stranger holds.

    Raises:
        ValueError: it is none, or so deep that Python gives up.
    """
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error


def decode_fields(content: bytes, large: Container[str]) -> Fields:
    """Return what an object of JSON holds.

    Args:
        content: the object.
        large: names of lists that are `Packed` where they are long.

    Raises:
        ValueError: it is not JSON.
        TypeError: it is no object.
    """
    text = content.decode()
    if not _starts(text, _skip_space(text, 0), "{"):
        other = parse_json(text)
        raise TypeError(f"not an object, but {type(other).__name__}")
    place = _skip(text, 0, "{")
    fields: Fields = {}
    if _starts(text, place, "}"):
        place = _skip(text, place, "}")
        _refuse_more(text, place)
        return fields
    while True:
        # JSON has no other names than texts.
        if not _starts(text, place, '"'):
            raise JSONDecodeError("Expecting a name", text, place)
        name, place = _decode(text, place)
        place = _skip(text, place, ":")
        reader = _Reader(text, place)
        fields[name] = reader.read_items() if name in large else reader.read_one()
        place = reader.place
        if not _starts(text, place, ","):
            break
        place = _skip(text, place, ",")
    place = _skip(text, place, "}")
    _refuse_more(text, place)
    return fields


class _Reader:
    """Reads one value, and remembers where it ends.

    Attributes:
        place: where in the text what is not read yet begins, behind white space.
    """

    def __init__(self, text: str, place: int) -> None:
        self._text = text
        self.place = place

    def read_items(self) -> Sequence[Any]:
        """Return the items of a list: packed where they are many, else the list."""
        items = pack_many(self._yield_items())
        if isinstance(items, tuple):
            return list(items)
        return items

    def read_one(self) -> Any:
        """Return the value, whatever it is."""
        try:
            value, end = _decode(self._text, self.place)
        except RecursionError as error:
            raise ValueError(_TOO_DEEP) from error
        self.place = _skip_space(self._text, end)
        return value

    def _yield_items(self) -> Iterator[Any]:
        text = self._text
        self.place = _skip(text, self.place, "[")
        if _starts(text, self.place, "]"):
            self.place = _skip(text, self.place, "]")
            return
        yield self.read_one()
        while _starts(text, self.place, ","):
            self.place = _skip(text, self.place, ",")
            yield self.read_one()
        self.place = _skip(text, self.place, "]")


def _encode_value(value: Any) -> Iterator[str]:
    if not isinstance(value, Sequence | Iterator) or isinstance(value, str):
        yield _encode(value)
        return
    before = "["
    for items in take_some(value, _ITEMS_AT_ONCE):
        text = _encode(items)
        # Without its brackets: it is a part of the list.
        yield before + text[1:-1]
        before = ","
    # Of nothing it has not begun.
    yield "[]" if before == "[" else "]"


def _starts(text: str, place: int, mark: str) -> bool:
    return text.startswith(mark, place)


def _skip(text: str, place: int, mark: str) -> int:
    """Return the place behind a mark and the white space on both of its sides."""
    match = _MARKS[mark].match(text, place)
    if match is None:
        begin = _skip_space(text, place)
        raise JSONDecodeError(f"Expecting {mark!r}", text, begin)
    return match.end()


def _skip_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return place if match is None else match.end()


def _refuse_more(text: str, place: int) -> None:
    if place != len(text):
        raise JSONDecodeError("Extra data", text, place)
