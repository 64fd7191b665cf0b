"""Texts that are not UTF-8 cost their rows, in whatever form and however deep; all others stay as they are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import feather, orc
import pytest

from tests.transforms.formats.spans import read_units, rejected_of, table_of
from transforms.formats.arrow_ipc import ArrowIpcFormat
from transforms.formats.broken_texts import blank_broken_texts, blank_unchecked_texts
from transforms.formats.format import Format
from transforms.formats.orc import OrcFormat

# Half a character, and half of a surrogate pair as some writers store it.
BROKEN = [b"caf\xe9", b"\xed\xa0\x80"]
MESSAGE = "column 't': a text that is not UTF-8"


def as_texts(values: Sequence[bytes | None]) -> pa.Array:
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
        pa.LargeListArray.from_arrays(range(7), TEXTS),
        pa.FixedSizeListArray.from_arrays(TEXTS, 1),
        pa.ListArray.from_arrays(range(7), pa.StructArray.from_arrays([TEXTS], ["x"])),
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


def test_of_lists_those_that_are_missing_or_empty_have_none() -> None:
    lists = pa.array([[b"a", b"b"], None, [], [b"c", BROKEN[0], BROKEN[1]], [b"d"]])
    texts = pa.ListArray.from_arrays(
        lists.offsets, lists.values.view(pa.string()), mask=lists.is_null()
    )
    for cut, found in ((texts, [3]), (texts.slice(1, 3), [2]), (texts.slice(4), [])):
        rows, reasons = blank_broken_texts(batch_of(cut))
        assert list(reasons) == found
        assert rows["t"].null_count == cut.null_count + len(found)


def test_a_text_beneath_a_missing_struct_costs_nothing() -> None:
    structs = pa.StructArray.from_arrays([TEXTS], ["x"], mask=pa.array([n == 1 for n in range(6)]))
    _, reasons = blank_broken_texts(batch_of(structs))
    assert list(reasons) == [4]


DAY = 86_400_000
ODD_VALUES = {
    "a time is not within a day": (
        pa.array([0, DAY, None, DAY - 1, -1], pa.int32()).view(pa.time32("ms")),
        pa.array([0, DAY * 1_000, None, 1, -1], pa.int64()).view(pa.time64("us")),
    ),
    "a date64 is not a whole day": (
        pa.array([0, 1, None, -DAY, DAY + 1], pa.int64()).view(pa.date64()),
    ),
    "a decimal has more digits than its type": (
        pa.array([b"\x01" + bytes(15), b"\xff" * 16, None, bytes(16), b"\x7f" * 16], pa.binary(16))
        .view(pa.decimal128(19, 2))
        .take([3, 1, 2, 0, 4])
        .take([0, 4, 2, 3, 4]),
    ),
}


@pytest.mark.parametrize("words", ODD_VALUES)
def test_so_does_a_value_that_is_none_of_its_type(words: str) -> None:
    """pandas and DuckDB read no file with such a time, and Parquet cuts hours off dates."""
    for column in ODD_VALUES[words]:
        told = dict.fromkeys((1, 4), f"column 't': {words}")
        structs = pa.StructArray.from_arrays([column, pa.array(list("abcde"))], ["at", "x"])
        for each in (column, structs, pa.ListArray.from_arrays(range(6), column)):
            for blank in (blank_broken_texts, blank_unchecked_texts):
                rows, reasons = blank(batch_of(each))
                assert {row: str(reason) for row, reason in reasons.items()} == told
                rest = [0, 2, 3]
                assert rows["t"].take(rest).to_pylist() == each.take(rest).to_pylist()


def test_of_one_row_with_several_faults_one_is_told() -> None:
    late = pa.array([1 << 60], pa.int64()).view(pa.time64("us"))
    both = pa.StructArray.from_arrays([late, as_texts(BROKEN[:1])], ["at", "x"])
    rows, reasons = blank_broken_texts(batch_of(both))
    assert (rows["t"].null_count, list(reasons)) == (1, [0])


def test_a_batch_of_broken_texts_is_looked_at_once() -> None:
    count = 1 << 16
    texts = as_texts([b"a", BROKEN[0]] * (count // 2))
    rows, reasons = blank_broken_texts(batch_of(texts))
    assert list(reasons) == list(range(1, count, 2))
    assert rows["t"].null_count == len(reasons)


@pytest.mark.parametrize("format", [ArrowIpcFormat(), OrcFormat()], ids=["arrow", "orc"])
@pytest.mark.parametrize("rows_per_batch", [1, 4, 100])
def test_in_arrow_and_orc_one_costs_its_row_too(
    tmp_path: Path, format: Format, rows_per_batch: int
) -> None:
    path = tmp_path / "file"
    rows = pa.Table.from_batches([batch_of(TEXTS), batch_of(TEXTS.slice(3, 2))])
    if isinstance(format, OrcFormat):
        orc.write_table(rows, path)
    else:
        feather.write_feather(rows, path, compression="uncompressed", chunksize=6)
    units = read_units(path, format, rows_per_batch=rows_per_batch)
    assert rejected_of(units) == dict.fromkeys([1, 4, 7], MESSAGE)
    assert table_of(units)["t"].to_pylist() == ["a", None, "ü", "a", "ü"]


@pytest.mark.parametrize(
    "values",
    [TEXTS, TEXTS.cast(pa.large_binary()).view(pa.large_string())],
    ids=lambda column: str(column.type),
)
def test_a_wrong_offset_or_index_is_no_text_to_look_at(values: pa.Array) -> None:
    """Beside a broken text, which Arrow may find first and say nothing else."""
    offsets = np.frombuffer(
        values.buffers()[1], "i4" if values.type == pa.string() else "i8"
    ).copy()
    offsets[3] = 1 << 20
    buffers = [None, pa.py_buffer(offsets), values.buffers()[2]]
    wrong = pa.Array.from_buffers(values.type, len(values), buffers)
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 99]), values, safe=False)
    for column in (
        wrong,
        pa.ListArray.from_arrays([0, 6], wrong),
        pa.DictionaryArray.from_arrays(pa.array([0]), wrong),
        codes,
        pa.StructArray.from_arrays([codes], ["x"]),
    ):
        with pytest.raises(pa.ArrowInvalid):
            blank_unchecked_texts(batch_of(column))
    assert list(blank_unchecked_texts(batch_of(values)).reasons) == [1, 4]
