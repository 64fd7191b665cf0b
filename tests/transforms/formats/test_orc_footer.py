"""What an ORC footer says of sizes and stripes, in messages that are written here byte by byte."""

import io
from types import SimpleNamespace
from typing import Any
import zlib

import pyarrow as pa
from pyarrow import orc
import pytest

from transforms.formats.orc_footer import (
    _find_number,
    _find_sum,
    _parse,
    _read_number,
    _unpack,
    check_postscript,
    check_types,
    count_decoded_bytes,
    find_tail,
    list_stripe_rows,
    read_footer,
)

# The kinds of a protobuf field.
VARINT, LONG, BYTES, INT = 0, 1, 2, 5
MOST_BLOCK = 1 << 23
# By name of the type, its number in a footer and the bytes of its value.
KINDS = {
    "boolean": (0, 0),
    "byte": (1, 1),
    "short": (2, 2),
    "int": (3, 4),
    "long": (4, 8),
    "float": (5, 4),
    "double": (6, 8),
    "string": (7, 4),
    "binary": (8, 4),
    "timestamp": (9, 8),
    "list": (10, 4),
    "map": (11, 4),
    "struct": (12, 0),
    "union": (13, 1),
    "decimal": (14, 16),
    "date": (15, 4),
    "varchar": (16, 4),
    "char": (17, 4),
}


def varint(number: int) -> bytes:
    """Return a number, seven bits a byte, the lowest first."""
    content = bytearray()
    while number >= 0x80:
        content.append(number % 0x80 + 0x80)
        number //= 0x80
    content.append(number)
    return bytes(content)


def zigzag(number: int) -> int:
    return 2 * number if number >= 0 else -2 * number - 1


def write(field: int, value: int | bytes) -> bytes:
    """Return a field of a message."""
    if isinstance(value, int):
        return varint(8 * field + VARINT) + varint(value)
    return varint(8 * field + BYTES) + varint(len(value)) + value


def describe(kind: int | None, statistics: bytes | None) -> bytes:
    """Return what a footer says of one column: its type and its statistics."""
    stored_type = b"" if kind is None else write(1, kind)
    told = write(4, stored_type)
    if statistics is not None:
        told += write(7, statistics)
    return told


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 1 << 14, (1 << 63) + 5])
def test_a_number_is_read_to_its_end(number: int) -> None:
    content = b"\xff" + varint(number) + b"\x01"
    assert _read_number(content, 1) == (number, len(content) - 1)


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xff" * 9, b"\x80" * 10 + b"\x01"])
def test_a_number_that_does_not_end_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="does not end"):
        _read_number(content, 0)


def test_a_number_of_ten_bytes_is_the_longest() -> None:
    assert _read_number(b"\x80" * 9 + b"\x01", 0) == (1 << 63, 10)


def test_fields_of_every_kind_are_passed_over() -> None:
    message = (
        write(1, 5)
        + varint(8 * 2 + LONG)
        + b"12345678"
        + write(3, b"text")
        + varint(8 * 4 + INT)
        + b"1234"
        + write(300, 7)
    )
    parts = [(part.field, part.value) for part in _parse(message)]
    assert parts == [(1, 5), (2, b"12345678"), (3, b"text"), (4, b"1234"), (300, 7)]
    assert list(_parse(b"")) == []


@pytest.mark.parametrize("kind", [3, 4, 6, 7])
def test_a_field_of_a_kind_that_is_not_known_is_refused(kind: int) -> None:
    with pytest.raises(ValueError, match="a kind that is not known"):
        list(_parse(varint(8 + kind) + b"12345678"))


def test_the_first_number_of_a_field_counts_and_no_text() -> None:
    assert _find_number(write(2, 9) + write(1, b"x") + write(1, 5) + write(1, 6), 1) == 5
    assert _find_number(write(2, 9), 1) == 0
    assert _find_number(b"", 1) == 0


@pytest.mark.parametrize(
    ("stored", "total"), [(0, 0), (1, 1), (500, 500), (-1, 0), (-500, 0), (1 << 40, 1 << 40)]
)
def test_a_sum_of_bytes_is_no_less_than_nothing(stored: int, total: int) -> None:
    statistics = write(4, 3) + write(4, write(3, zigzag(stored)))
    assert _find_sum(statistics, 4, 3) == total
    assert _find_sum(statistics, 8, 3) == 0
    assert _find_sum(statistics, 4, 1) == 0


@pytest.mark.parametrize("name", KINDS)
def test_a_value_of_each_type_has_its_bytes(name: str) -> None:
    kind, width = KINDS[name]
    assert count_decoded_bytes(describe(kind, write(1, 10))) == 10 * width


@pytest.mark.parametrize("kind", [18, 19, 400])
def test_a_value_of_a_newer_type_is_a_byte(kind: int) -> None:
    assert count_decoded_bytes(describe(kind, write(1, 10))) == 10


def test_columns_come_to_their_values_and_their_texts_together() -> None:
    texts = write(1, 10) + write(4, write(3, zigzag(70)))
    content = write(1, 10) + write(8, write(1, zigzag(90)))
    footer = (
        write(2, 1)
        + describe(KINDS["int"][0], write(1, 10))
        + describe(KINDS["string"][0], texts)
        + describe(KINDS["binary"][0], content)
    )
    assert count_decoded_bytes(footer) == (10 * 4) + (10 * 4 + 70) + (10 * 4 + 90)
    # A type of no kind is the first one; and older writers leave statistics out.
    assert count_decoded_bytes(describe(None, write(1, 10))) == 0
    assert count_decoded_bytes(describe(KINDS["int"][0], None)) == 0


def pack(content: bytes, codec: str) -> bytes:
    """Return a piece with its head."""
    if codec == "stored":
        return (2 * len(content) + 1).to_bytes(3, "little") + content
    if codec == "zlib":
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(content) + packer.flush()
    else:
        name = {"lz4": "lz4_raw"}.get(codec, codec)
        packed = pa.Codec(name).compress(content, asbytes=True)
    return (2 * len(packed)).to_bytes(3, "little") + packed


@pytest.mark.parametrize("codec", ["zlib", "zstd", "snappy", "lz4"])
def test_pieces_are_unpacked_and_put_together(codec: str) -> None:
    first, second, third = b"a" * 1_000, b"as it is" * 40, bytes(range(256))
    packed = pack(first, codec) + pack(second, "stored") + pack(third, codec)
    assert _unpack(packed, codec, 1_000) == first + second + third
    assert _unpack(b"", codec, 1_000) == b""
    assert _unpack(packed, "uncompressed", 1_000) == packed


@pytest.mark.parametrize("codec", ["zlib", "zstd"])
def test_no_piece_is_unpacked_beyond_its_room(codec: str) -> None:
    assert _unpack(pack(b"a" * 1_000, codec), codec, 999) == b"a" * 999


@pytest.mark.parametrize("codec", ["snappy", "lz4"])
def test_a_piece_that_holds_more_than_its_room_is_refused(codec: str) -> None:
    packed = pack(b"a" * 1_000, codec)
    assert len(_unpack(packed, codec, 1_000)) == 1_000
    # pyarrow's codecs disagree about which of them it is.
    with pytest.raises((OSError, ValueError), match=r"."):
        _unpack(packed, codec, 999)


def end_with(postscript: bytes, before: int = 0) -> io.BytesIO:
    """Return a file that ends with a postscript."""
    return io.BytesIO(bytes(before) + postscript + bytes([len(postscript)]))


@pytest.mark.parametrize("before", [0, 5, 20_000])
def test_a_file_may_ask_for_as_much_room_as_a_piece_has(before: int) -> None:
    file = end_with(write(1, 5) + write(3, MOST_BLOCK) + write(4, b"x"), before)
    check_postscript(file)
    # Arrow reads it from its beginning.
    assert file.tell() == 0


@pytest.mark.parametrize(
    "postscript",
    [
        write(3, MOST_BLOCK + 1),
        write(3, 5) + write(3, MOST_BLOCK + 1),
        write(3, MOST_BLOCK + 1) + write(3, 5),
        # A footer and metadata that are longer than the file.
        write(1, 200),
        write(1, 7) + write(5, (1 << 64) - 1),
    ],
)
def test_a_file_that_asks_for_more_is_refused_wherever_it_asks(postscript: bytes) -> None:
    with pytest.raises(ValueError, match="asks for more than there is"):
        check_postscript(end_with(postscript, 100))


def test_of_other_fields_and_of_an_empty_file_nothing_is_said() -> None:
    check_postscript(end_with(write(2, MOST_BLOCK + 1) + write(3, b"text")))
    check_postscript(io.BytesIO())


@pytest.mark.parametrize(
    ("kind", "precision", "scale", "is_refused"),
    [
        (14, 38, 38, False),
        (14, 0, 0, False),
        (14, 39, 0, True),
        (14, 10, 39, True),
        # Arrow multiplied by ten, as often as that, without an end.
        (14, 21, (1 << 64) - 2, True),
        ((1 << 32) + 14, 39, 0, True),
        (4, 39, 39, False),
    ],
)
def test_decimals_of_more_digits_than_any_has_are_refused(
    kind: int, precision: int, scale: int, is_refused: bool
) -> None:
    types = write(4, write(1, 12)) + write(
        4, write(1, kind) + write(5, precision) + write(6, scale)
    )
    if not is_refused:
        check_types(types)
        return
    with pytest.raises(ValueError, match="decimals of more digits"):
        check_types(types)


def test_the_footer_is_found_before_the_postscript() -> None:
    footer = describe(KINDS["long"][0], write(1, 10))
    content = b"stripes" + footer + b"postscript" + b"\x0a"
    stored: Any = SimpleNamespace(
        file_footer_length=len(footer),
        file_postscript_length=10,
        file_length=len(content),
        compression="UNCOMPRESSED",
        compression_size=0,
    )
    assert read_footer(io.BytesIO(content), stored) == footer
    broken = SimpleNamespace(**{**vars(stored), "compression": "ZLIB"})
    wrong = content.replace(footer, pack(b"x", "zlib")[:3] + b"\xff" * (len(footer) - 3))
    with pytest.raises(ValueError, match="the footer is broken"):
        read_footer(io.BytesIO(wrong), broken)


@pytest.mark.parametrize("codec", ["zlib", "zstd", "snappy", "lz4"])
def test_a_piece_of_nothing_is_nothing(codec: str) -> None:
    assert _unpack(pack(b"", codec) + pack(b"a", "stored"), codec, 1_000) == b"a"


def test_each_stripe_has_its_rows() -> None:
    stripe = write(1, 3) + write(5, 70_000)
    footer = write(1, 5) + write(3, stripe) + describe(KINDS["long"][0], write(5, 9))
    assert list_stripe_rows(footer + write(3, write(5, 4))) == [70_000, 4]
    assert list_stripe_rows(write(3, write(4, 8))) == [0]
    assert list_stripe_rows(b"") == []


@pytest.mark.parametrize("in_one", [True, False])
def test_columns_too_deep_inside_others_are_refused(in_one: bool) -> None:
    def nest(levels: int) -> bytes:
        footer = b""
        for number in range(1, levels):
            inner = varint(number) if in_one else number
            footer += write(4, write(1, KINDS["struct"][0]) + write(2, inner))
        return footer + write(4, write(1, KINDS["long"][0]))

    check_types(nest(200))
    with pytest.raises(ValueError, match="too deep inside others"):
        check_types(nest(201))


@pytest.mark.parametrize(
    "inside",
    [
        # The second one stands in the first and in the table.
        [(1, 2), (2,), ()],
        [(1, 1), ()],
        # The table stands in its own column.
        [(1,), (0,)],
    ],
)
def test_a_column_inside_of_two_others_is_refused(inside: list[tuple[int, ...]]) -> None:
    struct = write(1, KINDS["struct"][0])
    footer = b""
    for numbers in inside:
        footer += write(4, struct + b"".join(write(2, number) for number in numbers))
    with pytest.raises(ValueError, match="inside of two others"):
        check_types(footer)


def test_columns_beside_each_other_are_not_deep() -> None:
    of_table = write(1, KINDS["struct"][0]) + b"".join(write(2, n) for n in range(1, 501))
    check_types(write(4, of_table) + write(4, write(1, KINDS["long"][0])) * 500)


@pytest.mark.parametrize("compression", ["uncompressed", "zlib", "zstd", "snappy", "lz4"])
def test_a_tail_is_as_pyarrow_reads_it(compression: str) -> None:
    file = io.BytesIO()
    orc.write_table(pa.table({"id": range(9)}), file, compression=compression)
    tail = find_tail(file)
    stored = orc.ORCFile(pa.PythonFile(file, mode="r"))
    assert tail is not None
    for field, told in tail._asdict().items():
        expected = getattr(stored, field)
        assert told == (expected.lower() if isinstance(expected, str) else expected), field
    assert find_tail(io.BytesIO()) is None
