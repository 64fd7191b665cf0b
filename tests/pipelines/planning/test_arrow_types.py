"""Types as text: what pyarrow writes for a type is read as that type."""

import pyarrow as pa
import pytest

from configs.errors import JobError
from pipelines.planning.arrow_types import parse_type


@pytest.mark.parametrize(
    "dtype",
    [
        pa.int8(),
        pa.uint64(),
        pa.float64(),
        pa.bool_(),
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.date32(),
        pa.time64("us"),
        pa.duration("ms"),
        *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
        pa.timestamp("us", tz="UTC"),
        pa.timestamp("ns", tz="America/New_York"),
        pa.timestamp("s", tz="+05:30"),
        pa.decimal128(38, 9),
        pa.decimal128(5, -2),
        pa.decimal256(76, 0),
        pa.decimal256(10, 10),
        pa.decimal32(5, 2),
        pa.decimal64(15, 2),
        pa.float16(),
        pa.list_(pa.float32()),
        pa.large_list(pa.int8()),
        pa.list_(pa.float32(), 3),
        pa.list_(pa.list_(pa.float64(), 2)),
        pa.list_(pa.large_list(pa.decimal128(5, 2)), 7),
        pa.list_(pa.timestamp("us", tz="UTC")),
    ],
    ids=str,
)
def test_a_type_that_pyarrow_writes_is_that_type(dtype: pa.DataType) -> None:
    found = parse_type(str(dtype), "place")
    assert found == dtype
    assert str(found) == str(dtype)


def test_a_decimal_without_bits_has_128() -> None:
    assert parse_type("decimal(10, 2)", "place") == pa.decimal128(10, 2)


@pytest.mark.parametrize("text", ["", "text", "timestamp", "timestamp[h]", "decimal128(3)", "list"])
def test_what_is_no_type_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(JobError, match=r"^source\.types\.a: '.*' is not a type; write for example"):
        parse_type(text, "source.types.a")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("list<>", "not a type"),
        ("list<float", "not a type"),
        ("list<float>[3]", "not a type"),
        ("fixed_size_list<float>", "lists of three"),
        ("list<word>", "'word' is not a type"),
        ("decimal32(20, 2)", "precision"),
        ("list<" * 1_000, "letters"),
        ("fixed_size_list<float>[99999999999999]", "not a type"),
    ],
)
def test_lists_that_are_no_type_are_refused_with_their_place(text: str, words: str) -> None:
    with pytest.raises(JobError, match=words) as caught:
        parse_type(text, "source.types.a")
    assert str(caught.value).startswith("source.types.a: ")


def test_names_inside_lists_may_be_left_out() -> None:
    assert parse_type("list<float>", "place") == pa.list_(pa.float32())
    assert parse_type("list<element: int8 not null>", "place") == pa.list_(pa.int8())
