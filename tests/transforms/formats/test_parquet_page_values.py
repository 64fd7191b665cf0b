"""Ends of a page's range, as an index tells them: those of one value are known, too, and none that contradict each other."""

import struct

import pytest

from transforms.formats.parquet_page_values import _read_ends

NONE = (None, None)


@pytest.mark.parametrize(
    ("form", "kind"), [("<i", "INT32"), ("<q", "INT64"), ("<f", "FLOAT"), ("<d", "DOUBLE")]
)
def test_ends_of_numbers(form: str, kind: str) -> None:
    def read(least: float, most: float) -> tuple[object, object]:
        return _read_ends(struct.pack(form, least), struct.pack(form, most), kind)

    assert read(-3, 7) == (-3, 7)
    # Of a page with one value, which is what a filter leaves out first.
    assert read(7, 7) == (7, 7)
    assert read(8, 7) == NONE
    assert _read_ends(b"\0\0\0", struct.pack(form, 7), kind) == NONE


def test_nan_is_no_end() -> None:
    nan, one = struct.pack("<d", float("nan")), struct.pack("<d", 1)
    for lower, upper in ((nan, one), (one, nan), (nan, nan)):
        assert _read_ends(lower, upper, "DOUBLE") == NONE


def test_ends_of_texts_are_bytes_and_other_types_have_none() -> None:
    assert _read_ends(b"a", b"b", "BYTE_ARRAY") == (b"a", b"b")
    assert _read_ends(b"a", b"a", "BYTE_ARRAY") == (b"a", b"a")
    assert _read_ends(b"b", b"a", "BYTE_ARRAY") == NONE
    assert _read_ends(b"\0", b"\1", "BOOLEAN") == NONE
