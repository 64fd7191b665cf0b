from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError, JobError, RejectedRows
from model_zoo.package.card import InputColumn, Tensor
from model_zoo.steps.cast import Cast
from model_zoo.steps.encode import OneHot
from model_zoo.steps.scale import Scale, Standardise
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import AnyStep
from tests.support.builders import raw_batch
from transforms.batch_function import BatchFunction
from transforms.batches import FeatureBatch, RawBatch
from transforms.preprocess import Preprocess, preprocess_batch
from transforms.preprocess_rows import preprocess_rows


def column(name: str, missing: Any, fill: float | None = None) -> InputColumn:
    return InputColumn(name=name, type="double", missing=missing, fill=fill)


X = {"x": Tensor(dtype="float32", shape=(2,))}
A_OR_ERROR, B_OR_ERROR = (column(name, "error") for name in "ab")
A_OR_REJECT, B_OR_REJECT = (column(name, "reject") for name in "ab")
STACK = Stack(step="stack", columns=("a", "b"), into="x")


def features(
    batch: RawBatch,
    steps: tuple[AnyStep, ...] = (STACK,),
    missing: tuple[InputColumn, ...] = (),
    inputs: Any = X,
) -> FeatureBatch:
    function = partial(preprocess_batch, contract=missing, steps=steps, inputs=inputs)
    verb = BatchFunction(function, "preprocess")
    verb.setup()
    (result,) = verb.process(batch)
    return result


def batch(**columns: Any) -> RawBatch:
    rows = len(next(iter(columns.values())))
    return raw_batch({"id": pa.array(np.arange(rows) + 100), **columns}, first_row=10)


def test_columns_become_the_networks_input() -> None:
    result = features(
        batch(a=[1.0, 2.0], b=[3, 4]),
        (Scale(step="scale", columns=("a",), factor=(2.0,), offset=(0.5,)), STACK),
    )
    assert result.inputs.keys() == {"x"}
    assert result.inputs["x"].dtype == np.float32
    np.testing.assert_array_equal(result.inputs["x"], [[2.5, 3], [4.5, 4]])
    assert result.raw.row_numbers.tolist() == [10, 11]


def test_an_input_is_given_in_the_contracts_dtype() -> None:
    inputs = {"a": Tensor(dtype="int32", shape=()), "x": Tensor(dtype="float64", shape=(2,))}
    result = preprocess_rows(batch(a=[1, 2], b=[3, 4]).rows, (), (STACK,), inputs)
    assert (result["a"].dtype, result["x"].dtype) == (np.int32, np.float64)


def test_missing_error_stops_and_names_the_column_and_the_batch() -> None:
    with pytest.raises(InputError, match=r"s.parquet from row 10: column 'b' has a missing value"):
        features(batch(a=[1.0], b=[float("nan")]), missing=(A_OR_ERROR, B_OR_ERROR))


def test_missing_reject_rejects_every_row_with_a_hole_and_keeps_the_rest() -> None:
    rows = batch(a=[1.0, None, 3.0, float("nan"), 5.0], b=[None, None, 3, 4, 5])
    result = features(rows, missing=(A_OR_REJECT, B_OR_REJECT))
    np.testing.assert_array_equal(result.inputs["x"], [[3, 3], [5, 5]])
    assert result.raw.rows["id"].to_pylist() == [102, 104]
    (failed,) = result.raw.rejected
    assert failed.rows["row"].to_pylist() == [10, 11, 13]
    assert failed.rows["key"].to_pylist() == [100, 101, 103]
    assert failed.rows["stage"].to_pylist() == ["preprocess"] * 3
    assert result.raw.rows_in == 5


def test_missing_fill_fills_the_input_and_not_the_carried_column() -> None:
    result = features(
        batch(a=[None, 2.0, float("nan")], b=[1, None, 3]),
        missing=(column("a", "fill", -1.5), column("b", "fill", 7)),
    )
    np.testing.assert_array_equal(result.inputs["x"], [[-1.5, 1], [2, 7], [-1.5, 3]])
    assert result.raw.rows["b"].to_pylist() == [1, None, 3]


def test_rows_that_fail_in_different_steps_are_all_rejected_once() -> None:
    steps = (
        OneHot(step="one_hot", columns=("c",), unknown="reject", categories=(("x", "y"),)),
        Cast(step="cast", columns=("b",), dtype="int8"),
        Stack(step="stack", columns=("a", "b"), into="x"),
    )
    rows = batch(a=[1.0, 2.0, None, 4.0, 5.0], b=[1, 300, 3, 400, 5], c=["x", "y", "x", "?", "y"])
    result = features(rows, steps, (A_OR_REJECT,))
    np.testing.assert_array_equal(result.inputs["x"], [[1, 1], [5, 5]])
    assert sorted(r for f in result.raw.rejected for r in f.rows["row"].to_pylist()) == [11, 12, 13]
    assert result.raw.rows_in == 5


def test_all_rows_may_be_rejected() -> None:
    result = features(
        batch(a=pa.array([None, None], type=pa.float32()), b=[1, 2]),
        missing=(A_OR_REJECT,),
    )
    assert result.inputs["x"].shape == (0, 2)
    assert result.raw.rows_in == 2


def test_no_rows() -> None:
    empty = batch(a=pa.array([], type=pa.float32()), b=pa.array([], type=pa.int64()))
    result = features(empty, missing=(A_OR_ERROR, B_OR_ERROR))
    assert result.inputs["x"].shape == (0, 2)
    assert result.raw.last


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(-9, 9) | st.none(), st.integers(-9, 9) | st.none()),
        min_size=1,
        max_size=30,
    )
)
def test_good_rows_are_scored_as_if_they_were_alone(
    values: list[tuple[float | None, int | None]],
) -> None:
    a, b = (
        pa.array([v[i] for v in values], type=t) for i, t in ((0, pa.float64()), (1, pa.int64()))
    )
    steps = (
        Standardise(step="standardise", columns=("a", "b"), mean=(1.0, 2.0), scale=(3.0, 0.5)),
        STACK,
    )
    result = features(batch(a=a, b=b), steps, (A_OR_REJECT, B_OR_REJECT))
    good = [(i, x, y) for i, (x, y) in enumerate(values) if x is not None and y is not None]
    expected = np.array(
        [[(x - 1) / 3, (y - 2) / 0.5] for _, x, y in good], dtype=np.float32
    ).reshape(-1, 2)
    np.testing.assert_array_equal(result.inputs["x"], expected)
    assert result.raw.row_numbers.tolist() == [10 + i for i, _, _ in good]
    assert result.raw.rows_in == len(values)


@pytest.mark.parametrize(
    ("steps", "inputs", "words"),
    [
        ((), X, "gives no model input 'x'; its columns are"),
        ((STACK,), {"x": Tensor(dtype="float32", shape=(3,))}, "'x' in shape (2, 2), not (2, 3)"),
        ((), {"a": Tensor(dtype="float32", shape=(1,))}, "'a' in shape (2,), not (2, 1)"),
    ],
)
def test_what_does_not_fit_the_network_is_refused(steps: Any, inputs: Any, words: str) -> None:
    with pytest.raises(JobError) as caught:
        preprocess_rows(batch(a=[1.0, 2.0], b=[3, 4]).rows, (), steps, inputs)
    assert words in str(caught.value)


def test_the_pure_function_names_bad_rows_by_position() -> None:
    with pytest.raises(RejectedRows) as caught:
        preprocess_rows(batch(a=[1.0, None], b=[3, 4]).rows, (A_OR_REJECT,), (STACK,), X)
    assert set(caught.value.reasons) == {1}


@pytest.mark.beam
def test_the_transform_is_that_function_on_every_batch() -> None:
    import apache_beam as beam
    from apache_beam.testing.test_pipeline import TestPipeline
    from apache_beam.testing.util import assert_that

    def check(results: list[FeatureBatch]) -> None:
        assert sorted(r.inputs["x"].tolist() for r in results) == [[[1.0, 3.0]], [[2.0, 4.0]]]

    batches = [batch(a=[1.0], b=[3]), batch(a=[2.0], b=[4])]
    with TestPipeline(runner="DirectRunner", options=local()) as root:
        made = root | beam.Create(batches).with_output_types(RawBatch) | Preprocess((), (STACK,), X)
        assert_that(made, check)


def local() -> Any:
    from pipelines.runners.options import runner_options

    return runner_options("DirectRunner", ["--direct_running_mode=in_memory"])


@pytest.mark.parametrize("dtype", ["string", "large_string"])
@pytest.mark.parametrize(
    "form",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
    ],
    ids=str,
)
def test_steps_get_texts_in_one_form_whatever_the_file_has(dtype: str, form: pa.DataType) -> None:
    """A model column that is carried, too, is read in the form of its file."""
    words = pa.array(["b", None, "a"])
    plan = (
        words.cast(pa.dictionary(pa.int32(), pa.string())).cast(form)
        if "dict" in str(form)
        else words.cast(form)
    )
    rule = InputColumn(name="w", type=dtype, missing="fill", fill="a")
    step = OneHot(step="one_hot", columns=("w",), unknown="reject", categories=(("a", "b"),))
    rows = pa.record_batch({"w": plan})
    inputs = {"w": Tensor(dtype="float32", shape=(2,))}
    arrays = preprocess_rows(rows, [rule], [step], inputs)
    np.testing.assert_array_equal(arrays["w"], [[0, 1], [1, 0], [1, 0]])


def rule(name: str, dtype: str, **fields: Any) -> InputColumn:
    return InputColumn(name=name, type=dtype, missing="reject", **fields)


def test_moments_and_decimals_reach_steps_as_numbers() -> None:
    contract = (rule("a", "date32[day]", number="days"), rule("b", "decimal128(5, 2)"))
    days = pa.array([3, None, 5], pa.int32()).cast(pa.date32())
    amounts = pa.array(["1.50", "2.50", None]).cast(pa.decimal128(5, 2))
    result = features(batch(a=days, b=amounts), missing=contract)
    np.testing.assert_array_equal(result.inputs["x"], [[3, 1.5]])
    assert result.raw.row_numbers.tolist() == [10]


def test_a_filled_moment_is_filled_with_a_number() -> None:
    contract = (
        InputColumn(name="a", type="date32[day]", missing="fill", fill=-1, number="days"),
        rule("b", "float"),
    )
    days = pa.array([3, None], pa.int32()).cast(pa.date32())
    result = features(batch(a=days, b=pa.array([0.5, 1.5], pa.float32())), missing=contract)
    np.testing.assert_array_equal(result.inputs["x"], [[3, 0.5], [-1, 1.5]])


@pytest.mark.parametrize(
    ("contract", "column", "words"),
    [
        (rule("a", "string", number="days"), pa.array(["x"]), "of dates, times"),
        (rule("a", "list<item: double>"), pa.array([[1.0, 2.0]]), "in shape"),
        (rule("a", "int64", number="days"), pa.array([1]), "of dates, times"),
    ],
)
def test_a_card_whose_words_do_not_fit_together_is_refused(
    contract: InputColumn, column: pa.Array, words: str
) -> None:
    inputs = {"a": Tensor(dtype="float32", shape=(2,))}
    with pytest.raises(JobError, match=words):
        preprocess_rows(batch(a=column).rows, (contract,), (), inputs)
