from dataclasses import fields, is_dataclass, replace
import pickle
from typing import Any

from apache_beam import coders
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from tests.support.builders import feature_batch, make_unit, raw_batch, rejected, scored_batch
from transforms.batches import (
    BatchId,
    FeatureBatch,
    PredictionBatch,
    RawBatch,
    ScoredBatch,
    WrittenFile,
    WrittenPart,
)
from transforms.on_beam import BatchCoder
from transforms.timing import StageTimes


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


def test_the_size_estimate_is_never_more_than_a_c_int_holds() -> None:
    """Of batches that share their values: three times as many bytes as there are."""
    texts = pa.array(["x" * 1_000_000])
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1, dtype=np.int32)), texts)
    rows = pa.RecordBatch.from_pydict({f"column {number}": many for number in range(3_000)})
    assert rows.nbytes > 2**31
    batch = RawBatch(make_unit(), BatchId("s", 0), rows, np.arange(1), True)
    assert BatchCoder().estimate_size(batch) == 2**31 - 1


def test_batch_ids_sort_and_print() -> None:
    ids = [BatchId("b", 0), BatchId("a", 10), BatchId("a", 9)]
    assert sorted(ids) == [BatchId("a", 9), BatchId("a", 10), BatchId("b", 0)]
    assert str(BatchId("x/a.parquet", 7)) == "x/a.parquet from row 7"


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


def test_batches_of_the_same_rows_are_equal_however_long_they_took() -> None:
    for batch in (raw_batch({"id": [1]}), scored_batch(make_unit(), 0, [1])):
        assert replace(batch, times=StageTimes()) == batch
        assert replace(batch, last=not batch.last) != batch


def test_the_coder_of_a_unit_knows_no_size_and_promises_no_fixed_bytes() -> None:
    assert BatchCoder().estimate_size(make_unit()) == 1_000
    assert not BatchCoder().is_deterministic()
