from dataclasses import fields, is_dataclass, replace
import pickle
from typing import Any

from apache_beam import coders
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import RejectedRows
from configs.redaction import shown
from model_zoo import halving
from model_zoo.halving import find_rejected
from tests.support.builders import feature_batch, make_unit, raw_batch, rejected, scored_batch
from transforms.batches import (
    BatchCoder,
    FeatureBatch,
    PredictionBatch,
    RawBatch,
    ScoredBatch,
    WrittenFile,
    WrittenPart,
)
from transforms.rejected import BatchId, RowRecord, record_rows


def same(one: Any, other: Any) -> bool:
    """Equal in type and content, arrays and record batches included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, pa.RecordBatch):
        return one.equals(other, check_metadata=True)
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return bool(one == other)


def rich_rows(rows: int) -> pa.RecordBatch:
    """Columns of many types, some with nulls."""
    numbers = range(rows)
    columns = {
        "i": pa.array(numbers, type=pa.int64()),
        "n": pa.array([None if n % 3 == 0 else n for n in numbers], type=pa.int32()),
        "s": pa.array([None if n % 5 == 0 else f"é{n}" for n in numbers]),
        "b": pa.array([bytes([n % 256]) * (n % 4) for n in numbers], type=pa.binary()),
        "t": pa.array(numbers, type=pa.timestamp("us", tz="UTC")),
        "l": pa.array([list(range(n % 3)) for n in numbers], type=pa.list_(pa.int8())),
        "f": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(2 * rows, dtype=np.float32)), 2),
        "d": pa.array([f"c{n % 3}" for n in numbers]).dictionary_encode(),
        "o": pa.array([n % 2 == 0 for n in numbers]),
        "e": pa.array([None] * rows, type=pa.decimal128(10, 2)),
    }
    return pa.RecordBatch.from_pydict(columns)


def edges(rows: pa.RecordBatch) -> list[Any]:
    unit = make_unit(rows=None)
    failed = (rejected(unit, 5, [6, 9]),)
    raw = RawBatch(unit, BatchId("s", 5), rows, np.arange(5, 5 + rows.num_rows), True, failed)
    arrays = {
        "x": np.arange(rows.num_rows * 3, dtype=np.float32).reshape(3, -1).T,
        "y": np.zeros((rows.num_rows, 2, 2), dtype=np.int64),
    }
    return [
        raw,
        FeatureBatch(raw, arrays),
        PredictionBatch(raw, arrays, "cpu float32"),
        ScoredBatch(unit, raw.id, rows, rows.num_rows + 3, 1, failed, False, "cpu"),
        failed[0],
        unit,
        WrittenPart(0, "a", 0, 3, 1, 1, 1, True, (WrittenFile("p", 1, 2, "f"),), (), "cpu"),
    ]


@pytest.mark.parametrize("rows", [0, 1, 50])
def test_every_edge_round_trips_through_its_coder(rows: int) -> None:
    for batch in edges(rich_rows(rows)):
        coder = coders.registry.get_coder(type(batch))
        assert same(coder.decode(coder.encode(batch)), batch), type(batch)
        assert same(pickle.loads(pickle.dumps(batch)), batch), type(batch)


@given(st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=30, deadline=None)
def test_a_slice_round_trips(start: int, length: int) -> None:
    for batch in edges(rich_rows(60).slice(start, length)):
        assert same(BatchCoder().decode(BatchCoder().encode(batch)), batch)


@pytest.mark.parametrize("edge", [RawBatch, FeatureBatch, PredictionBatch, ScoredBatch])
def test_every_batch_edge_has_the_coder(edge: type) -> None:
    assert isinstance(coders.registry.get_coder(edge), BatchCoder)


def test_a_slice_of_a_million_rows_encodes_small() -> None:
    rows = pa.RecordBatch.from_pydict(
        {"a": np.arange(1_000_000), "s": pa.repeat(pa.scalar("text"), 1_000_000)}
    )
    whole = raw_batch({"a": [0]}).__class__(
        make_unit(rows=None), BatchId("s", 0), rows, np.arange(1_000_000), True
    )
    piece = RawBatch(
        whole.unit,
        BatchId("s", 500_000),
        rows.slice(500_000, 1_000),
        whole.row_numbers[500_000:501_000],
        True,
    )
    scored = ScoredBatch(whole.unit, piece.id, piece.rows, 1_000, 0, (), True, "cpu")
    for batch in (piece, FeatureBatch(piece, {}), PredictionBatch(piece, {}, ""), scored):
        assert len(BatchCoder().encode(batch)) < 50_000, type(batch)


def test_the_size_estimate_encodes_nothing_and_is_about_right() -> None:
    """The unit of these batches cannot be pickled, so whatever encodes them fails."""
    unit: Any = lambda: None  # noqa: E731
    rows = pa.RecordBatch.from_pydict({"a": np.arange(100_000)})
    raw = RawBatch(unit, BatchId("s", 0), rows, np.arange(100_000), True)
    scored = ScoredBatch(unit, raw.id, rows, 100_000, 0, (), True, "")
    for batch in (raw, FeatureBatch(raw, {}), PredictionBatch(raw, {}, ""), scored):
        with pytest.raises((pickle.PicklingError, AttributeError)):
            BatchCoder().encode(batch)
        assert BatchCoder().estimate_size(batch) == 800_000
    half = RawBatch(unit, raw.id, rows.slice(0, 50_000), raw.row_numbers[:50_000], True)
    assert BatchCoder().estimate_size(half) == 400_000


def test_batch_ids_sort_and_print() -> None:
    ids = [BatchId("b", 0), BatchId("a", 10), BatchId("a", 9)]
    assert sorted(ids) == [BatchId("a", 9), BatchId("a", 10), BatchId("b", 0)]
    assert str(BatchId("x/a.parquet", 7)) == "x/a.parquet from row 7"


def test_reject_records_the_bad_rows_and_keeps_the_others() -> None:
    batch = raw_batch({"id": ["a", "b", None, "d"], "v": [1, 2, 3, 4]}, first_row=100, last=False)
    once = batch.reject(
        RejectedRows({2: ValueError("line\n  break"), 0: KeyError("k")}), "preprocess"
    )
    twice = once.reject(RejectedRows({1: ValueError("late")}), "predict")
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
    after = batch.reject(RejectedRows({p: ValueError("x") for p in bad}), "predict")
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
    assert batch.reject(RejectedRows({1: ValueError("x")}), "predict").rejected[
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


def test_books_that_do_not_balance_are_refused_when_a_scored_batch_is_made() -> None:
    good = scored_batch(make_unit(rows=None), 0, [0, 1], filtered=1, bad=(3,))
    assert good.rows_in == 4
    for rows_in, filtered in ((5, 1), (4, 0), (3, 1)):
        with pytest.raises(AssertionError, match="rows in, but"):
            ScoredBatch(good.unit, good.id, good.rows, rows_in, filtered, good.rejected, True, "")


def test_nbytes_of_features_counts_the_arrays() -> None:
    batch = feature_batch(
        raw_batch({"a": [1, 2]}), x=np.zeros((2, 3), dtype=np.float32), y=np.zeros(2)
    )
    assert batch.nbytes == 24 + 16


class Attempt:
    """Fails when one of its bad rows is asked for, and counts the calls."""

    def __init__(self, bad: set[int]) -> None:
        self.bad, self.calls = bad, 0

    def __call__(self, positions: np.ndarray) -> None:
        self.calls += 1
        assert positions.dtype == np.int64
        if found := self.bad.intersection(positions.tolist()):
            raise ValueError(f"row {min(found)}")


@given(
    st.integers(1, 200).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=7))
    )
)
def test_isolate_finds_exactly_the_bad_rows_in_few_calls(case: tuple[int, set[int]]) -> None:
    rows, bad = case
    attempt = Attempt(bad)
    found = find_rejected(rows, attempt)
    assert (set(found.reasons) if found else set()) == bad
    if found:
        assert {p: str(r) for p, r in found.reasons.items()} == {p: f"row {p}" for p in bad}
    assert attempt.calls <= 1 + 2 * len(bad) * int(np.ceil(np.log2(max(2, rows))))


def test_isolate_of_one_row_in_65_536_takes_33_calls() -> None:
    attempt = Attempt({40_000})
    assert set(find_rejected(65_536, attempt).reasons) == {40_000}  # type: ignore[union-attr]
    assert attempt.calls == 33


def test_isolate_gives_up_when_nothing_ever_passes() -> None:
    attempt = Attempt(set(range(1_000)))
    with pytest.raises(ValueError, match="row 7"):
        find_rejected(1_000, attempt)
    assert attempt.calls < 40


def test_isolate_of_a_small_batch_in_which_all_rows_are_bad_names_them_all() -> None:
    assert set(find_rejected(7, Attempt(set(range(7)))).reasons) == set(range(7))  # type: ignore[union-attr]


def test_isolate_does_not_give_up_once_a_call_passed() -> None:
    bad = set(range(2, 64))
    assert set(find_rejected(64, Attempt(bad)).reasons) == bad  # type: ignore[union-attr]


def test_bad_rows_can_pass_a_context_manager() -> None:
    from contextlib import contextmanager

    @contextmanager
    def block() -> Any:
        yield

    with pytest.raises(RejectedRows), block():
        raise RejectedRows({0: ValueError("x")})


def test_isolate_goes_on_when_only_the_first_rows_are_bad() -> None:
    def attempt(at: np.ndarray) -> None:
        if (at < 20).any():
            raise ValueError("bad")

    bad = find_rejected(100, attempt)
    assert bad is not None
    assert sorted(bad.reasons) == list(range(20))


def test_isolate_looks_at_the_first_and_the_last_row_before_it_gives_up() -> None:
    for good in (0, 99):
        # A row that is good alone, and bad with its neighbour, as where a model fails on all but single rows.
        def attempt(at: np.ndarray, good: int = good) -> None:
            if at.tolist() != [good]:
                raise ValueError("bad")

        found = find_rejected(100, attempt)
        assert found is not None
        assert set(found.reasons) == set(range(100)) - {good}


def test_isolate_does_not_doubt_the_rows_once_one_of_them_passed() -> None:
    """Row 1 of 64 is good, and none of those that are tried when rows are doubted."""
    bad = set(range(64)) - {1}
    assert set(find_rejected(64, Attempt(bad)).reasons) == bad  # type: ignore[union-attr]


def test_isolate_gives_up_after_8_rows_of_8_and_of_as_many_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match="row 7"):
        find_rejected(8, Attempt(set(range(8))))
    monkeypatch.setattr(halving, "ALONE_BEFORE_DOUBT", 3)
    with pytest.raises(ValueError, match="row 2"):
        find_rejected(9, Attempt(set(range(9))))
    assert set(find_rejected(2, Attempt({0, 1})).reasons) == {0, 1}  # type: ignore[union-attr]


def test_isolate_does_not_ask_again_once_another_row_passed() -> None:
    """Of 64 rows all but the last are bad: it is found while 8 rows are doubted, and they are not doubted a second time."""
    attempt = Attempt(set(range(63)))
    assert set(find_rejected(64, attempt).reasons) == set(range(63))  # type: ignore[union-attr]
    assert attempt.calls <= 64 + 63 + 8


def test_a_batch_whose_rows_do_not_add_up_is_no_batch() -> None:
    rows = pa.RecordBatch.from_pydict({"id": [1, 2, 3]})
    failed = (rejected(make_unit(), 0, [4, 5]),)
    assert ScoredBatch(make_unit(), BatchId("s", 0), rows, 6, 1, failed, True, "").rows_in == 6
    for rows_in in (5, 7):
        with pytest.raises(
            AssertionError, match=rf"s from row 0: {rows_in} rows in, but 3 \+ 1 \+ 2 out"
        ):
            ScoredBatch(make_unit(), BatchId("s", 0), rows, rows_in, 1, failed, True, "")


def test_what_computed_a_part_and_how_long_is_no_part_of_what_it_is() -> None:
    part = WrittenPart(0, "a", 0, 3, 1, 1, 1, True, (), ())
    told = {
        "placement": "gpu",
        "worker": "host:7",
        "stages": {"read": 1.0},
        "began": 1.0,
        "ended": 2.0,
        "peak_memory": 9,
    }
    assert replace(part, **told) == part
    assert replace(part, rows_in=4) != part
    assert {name: getattr(part, name) for name in told} == {  # of an older version
        "placement": "",
        "worker": "",
        "stages": {},
        "began": 0.0,
        "ended": 0.0,
        "peak_memory": 0,
    }


def test_a_batch_is_shown_without_its_times() -> None:
    assert "StageTimes" not in repr(raw_batch({"id": [1]})) + repr(
        scored_batch(make_unit(), 0, [1])
    )


def test_the_coder_of_a_unit_knows_no_size_and_promises_no_fixed_bytes() -> None:
    assert BatchCoder().estimate_size(make_unit()) == 1_000
    assert not BatchCoder().is_deterministic()
