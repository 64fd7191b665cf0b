"""A row that is rejected leaves a record, whatever it holds and whatever the error is: one bad row does not end a run."""

import numpy as np
import pyarrow as pa
import pytest

from transforms.rejected import BatchId, RowRecord, record_rows


def message(error: Exception, column: pa.Array) -> str:
    """The message in the record of a row that follows another."""
    rows = pa.RecordBatch.from_arrays([column], names=["name"])
    record = record_rows(
        BatchId("s", 0),
        "predict",
        np.arange(len(rows)),
        [ValueError("x"), error],
        rows,
        RowRecord(values=True),
    )
    return str(record.rows["message"][1].as_py())


def texts(*values: bytes) -> pa.Array:
    """A column of texts that nobody checked, as a Parquet file may hold one."""
    made = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(made), made.buffers())


LATIN_1 = texts(b"first", "Ann Müller".encode("latin-1"))
FAR = pa.array([0, 2**62], pa.timestamp("s"))
COLUMNS = {
    "text": LATIN_1,
    "binary": LATIN_1.cast(pa.binary()),
    "dictionary": pa.DictionaryArray.from_arrays(pa.array([0, 1]), LATIN_1),
    "list": pa.ListArray.from_arrays(pa.array([0, 1, 2]), LATIN_1),
    "fixed list": pa.FixedSizeListArray.from_arrays(LATIN_1, 1),
    "map": pa.MapArray.from_arrays(pa.array([0, 1, 2]), pa.array(["k", "k"]), LATIN_1),
    "struct with a time after the year 9999": pa.StructArray.from_arrays(
        [LATIN_1, FAR], ["inner", "at"]
    ),
}


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("spelling", ["Ann Müller", "Ann M\ufffdller", "ANN MÜLLER"])
def test_text_that_is_not_utf_8_is_blotted_out_as_any_reader_may_spell_it(
    kind: str, spelling: str
) -> None:
    assert (
        message(ValueError(f"no room for {spelling}, sorry"), COLUMNS[kind])
        == "no room for ***, sorry"
    )


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_null_beside_such_text_is_no_value(kind: str) -> None:
    assert (
        message(ValueError("no room for Ann"), COLUMNS[kind].take(pa.array([1, None])))
        == "no room for Ann"
    )


class UntoldError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_of_an_error_that_cannot_be_told_the_class_is_kept() -> None:
    assert message(UntoldError(), LATIN_1) == "UntoldError"


def test_of_a_row_that_cannot_be_read_no_foreign_text_is_kept() -> None:
    numbers = pa.array([0, 1], pa.int32())
    union = pa.UnionArray.from_dense(
        pa.array([0, 0], pa.int8()), numbers, [pa.array(["Ann", "Eve"])]
    )
    assert message(ValueError("no room for Eve"), union) == "ValueError"


def test_a_message_of_half_a_character_is_kept() -> None:
    assert message(ValueError("half \udcff"), LATIN_1) == "half ?"
