"""Texts that are not UTF-8 cost their rows, in whatever form and however deep; all others stay as they are."""

import pyarrow as pa
import pytest

from transforms.formats.parquet_texts import blank_broken_texts

# Half a character, and half of a surrogate pair as some writers store it.
BROKEN = [b"caf\xe9", b"\xed\xa0\x80"]
MESSAGE = "column 't': a text that is not UTF-8"


def as_texts(values: list[bytes | None]) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


def batch_of(column: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"id": pa.array(range(len(column))), "t": column})


TEXTS = as_texts([b"a", BROKEN[0], None, "ü".encode(), BROKEN[1], b"a"])
WANTED = ["a", None, None, "ü", None, "a"]
LISTED = pa.ListArray.from_arrays(range(7), TEXTS)
ENCODED = TEXTS.cast(pa.binary()).dictionary_encode()
CODES = pa.DictionaryArray.from_arrays(ENCODED.indices, ENCODED.dictionary.view(pa.string()))


@pytest.mark.parametrize(
    "column",
    [TEXTS, TEXTS.cast(pa.large_binary()).view(pa.large_string()), CODES],
    ids=lambda column: str(column.type),
)
def test_a_broken_text_costs_its_row(column: pa.Array) -> None:
    rows, reasons = blank_broken_texts(batch_of(column))
    assert rows["t"].to_pylist() == WANTED
    assert rows["t"].type == column.type
    assert {row: str(reason) for row, reason in reasons.items()} == {1: MESSAGE, 4: MESSAGE}


def test_so_does_a_view_of_one() -> None:
    views = pa.array([*BROKEN, b"ok"], pa.binary_view()).view(pa.string_view())
    rows, reasons = blank_broken_texts(batch_of(views))
    assert rows["t"].to_pylist() == [None, None, "ok"]
    assert list(reasons) == [0, 1]


@pytest.mark.parametrize(
    "column",
    [
        LISTED,
        pa.StructArray.from_arrays([TEXTS], ["x"]),
        pa.MapArray.from_arrays(range(7), pa.array(range(6)), TEXTS),
        pa.ListArray.from_arrays(range(7), CODES),
    ],
    ids=lambda column: str(column.type),
)
def test_so_does_one_inside_a_value(column: pa.Array) -> None:
    rows, reasons = blank_broken_texts(batch_of(column))
    assert list(reasons) == [1, 4]
    assert rows["t"].take([1, 4]).null_count == 2
    rest = [0, 2, 3, 5]
    assert rows["t"].take(rest).to_pylist() == column.take(rest).to_pylist()


def test_rows_without_one_stay_the_same_batch() -> None:
    for column in (pa.array(["a", None, "ü"]), pa.array(BROKEN, pa.binary()), pa.array([1.0])):
        rows = batch_of(column)
        found, reasons = blank_broken_texts(rows)
        assert (found, reasons) == (rows, {})


def test_a_dictionary_forgets_the_texts_that_no_row_may_have() -> None:
    others, none = blank_broken_texts(batch_of(CODES.take(pa.array([0, 3, 5]))))
    assert (others["t"].to_pylist(), none) == (["a", "ü", "a"], {})
    for rows in (others, blank_broken_texts(batch_of(CODES)).rows):
        assert rows["t"].dictionary.to_pylist() == ["a", "ü"]


def test_of_several_columns_each_is_blanked() -> None:
    rows = pa.RecordBatch.from_pydict({"t": TEXTS, "u": TEXTS.take([1, 0, 0, 0, 0, 0])})
    found, reasons = blank_broken_texts(rows)
    assert sorted(reasons) == [0, 1, 4]
    assert found["u"].to_pylist() == [None, *"aaaaa"]
