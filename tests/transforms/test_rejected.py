"""A row that is rejected leaves a record, whatever it holds and whatever the error is: one bad row does not end a run."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import RejectedRows
from configs.redaction import shown
from tests.support.builders import raw_batch
from transforms.batches import BatchId, RowRecord
from transforms.rejected import record_rows, reject_rows


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


def test_reject_records_the_bad_rows_and_keeps_the_others() -> None:
    batch = raw_batch({"id": ["a", "b", None, "d"], "v": [1, 2, 3, 4]}, first_row=100, last=False)
    once = reject_rows(
        batch, RejectedRows({2: ValueError("line\n  break"), 0: KeyError("k")}), "preprocess"
    )
    twice = reject_rows(once, RejectedRows({1: ValueError("late")}), "predict")
    assert twice.rows.to_pylist() == [{"id": "b", "v": 2}]
    assert twice.row_numbers.tolist() == [101]
    assert (len(twice), twice.rows_in, twice.last, twice.id) == (1, 4, False, batch.id)
    first, second = twice.rejected
    assert first.rows.to_pylist() == [
        {
            "source": "s.parquet",
            "row": 100,
            "key": "a",
            "stage": "preprocess",
            "error": "KeyError",
            "message": "***",
        },
        {
            "source": "s.parquet",
            "row": 102,
            "key": None,
            "stage": "preprocess",
            "error": "ValueError",
            "message": "line break",
        },
    ]
    assert second.rows.to_pylist() == [
        {
            "source": "s.parquet",
            "row": 103,
            "key": "d",
            "stage": "predict",
            "error": "ValueError",
            "message": "late",
        }
    ]
    assert first.rows.schema == second.rows.schema


@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=1))
    )
)
def test_reject_splits_rows_and_row_numbers_alike(case: tuple[int, set[int]]) -> None:
    rows, bad = case
    batch = raw_batch({"v": np.arange(1_000, 1_000 + rows)}, first_row=1_000)
    after = reject_rows(batch, RejectedRows({p: ValueError("x") for p in bad}), "predict")
    assert (
        after.rows["v"].to_pylist()
        == after.row_numbers.tolist()
        == [1_000 + p for p in range(rows) if p not in bad]
    )
    assert after.rejected[0].rows["row"].to_pylist() == sorted(1_000 + p for p in bad)
    assert "key" not in after.rejected[0].rows.schema.names
    assert after.rows_in == rows


def test_the_key_of_a_rejected_row_keeps_its_type() -> None:
    batch = raw_batch({"id": pa.array([1, 2], type=pa.decimal128(5, 2)), "v": [1, 2]})
    assert reject_rows(batch, RejectedRows({1: ValueError("x")}), "predict").rejected[
        0
    ].rows.schema.field("key").type == pa.decimal128(5, 2)


def test_long_messages_are_cut() -> None:
    failed = record_rows(
        BatchId("s", 0),
        "read",
        np.array([0]),
        [ValueError("x" * 5_000)],
        pa.RecordBatch.from_pydict({"a": [1]}),
        RowRecord(),
    )
    assert len(failed.rows["message"][0].as_py()) == 2_000
    assert len(shown(ValueError("€" * 5_000)).encode()) == 1_998
