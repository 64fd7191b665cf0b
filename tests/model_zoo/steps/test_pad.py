"""Lists as arrays: numbers in their places, masks, and rows whose list does not fit; against torch's padding and plain loops."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from configs.errors import JobError, RejectedRows
from model_zoo.steps.missing import fill_missing, find_missing
from model_zoo.steps.pad import Pad

FORMS = [pa.list_, pa.large_list]
ITEMS = st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=6), min_size=1, max_size=8)


def pad(**fields: Any) -> Pad:
    return Pad.model_validate({"step": "pad", "column": "a", "into": "x", **fields})


def reasons(step: Pad, column: pa.Array) -> dict[int, str]:
    with pytest.raises(RejectedRows) as caught:
        step.apply({"a": column}, len(column))
    return {row: str(reason) for row, reason in caught.value.reasons.items()}


@given(rows=ITEMS, form=st.sampled_from(FORMS), kind=st.sampled_from([pa.int32(), pa.float64()]))
@settings(max_examples=30, deadline=None)
def test_padding_is_torchs_own(rows: list[list[int]], form: Any, kind: pa.DataType) -> None:
    column = pa.array(rows, form(kind))
    made = pad(shape=[6], mask_into="m").apply({"a": column}, len(rows))
    # One more, of the full length: torch pads to the longest.
    tensors = [torch.tensor(row, dtype=torch.float64) for row in [*rows, [0] * 6]]
    expected = pad_sequence(tensors, batch_first=True).numpy()[:-1]
    np.testing.assert_array_equal(made["x"], expected)
    assert [row.tolist() for row in made["m"]] == [
        [place < len(row) for place in range(6)] for row in rows
    ]


def test_a_slice_has_its_own_rows_alone() -> None:
    column = pa.array([[9], [1, 2], [3], [9, 9]], pa.list_(pa.int64())).slice(1, 2)
    made = pad(shape=[3]).apply({"a": column}, 2)
    assert made["x"].tolist() == [[1, 2, 0], [3, 0, 0]]


def test_vectors_inside_lists() -> None:
    column = pa.array([[[1, 2], [3, 4]], [[5, 6]], []], pa.list_(pa.list_(pa.float32())))
    made = pad(shape=[2, 2]).apply({"a": column}, 3)
    assert made["x"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]], [[0, 0], [0, 0]]]
    uneven = pa.array([[[1, 2]], [[1]], [[1, 2], [1, 2, 3]]], pa.list_(pa.list_(pa.float32())))
    why = "column 'a': a list inside has not 2 items"
    assert reasons(pad(shape=[2, 2]), uneven) == {1: why, 2: why}


def test_full_lists_are_not_copied() -> None:
    values = pa.array(np.arange(8.0))
    column = pa.FixedSizeListArray.from_arrays(values, 4)
    made = pad(shape=[4], shorter="reject").apply({"a": column}, 2)
    assert np.shares_memory(made["x"], values.to_numpy())


def test_lengths_that_do_not_fit() -> None:
    column = pa.array([[1, 2, 3], [1, 2], [1]], pa.list_(pa.int64()))
    assert reasons(pad(shape=[2]), column) == {0: "column 'a': a list of more than 2 items"}
    exact = pad(shape=[2], shorter="reject", longer="cut")
    assert reasons(exact, column) == {2: "column 'a': a list of fewer than 2 items"}
    cut = pad(shape=[2], longer="cut", mask_into="m").apply({"a": column}, 3)
    assert cut["x"].tolist() == [[1, 2], [1, 2], [1, 0]]
    assert cut["m"].tolist() == [[True, True], [True, True], [True, False]]


def test_a_list_that_lacks_something_rejects_its_row() -> None:
    for column in (
        pa.array([[1, 2], None, [1, None]], pa.list_(pa.int64())),
        pa.array([[1, 2], None, [1, float("nan")]], pa.list_(pa.float64())),
    ):
        assert list(reasons(pad(shape=[2]), column)) == [1, 2]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([1]), "is a int64, and no lists"),
        (pa.array([["a"]]), "no lists of numbers"),
        (np.zeros((1, 2)), "an array already"),
        (pa.array([[[1]]]), "lists 2 deep, and shape"),
    ],
)
def test_columns_that_are_none_of_it(column: Any, words: str) -> None:
    with pytest.raises(JobError, match=words):
        pad(shape=[2]).apply({"a": column}, 1)


def test_a_gigantic_list_is_refused_before_room_is_made_for_it() -> None:
    values = pa.array(np.zeros(1_000_000, dtype=np.int8))
    column = pa.ListArray.from_arrays([0, 1_000_000], values)
    assert list(reasons(pad(shape=[3]), column)) == [0]
    with pytest.raises(ValueError, match="less than or equal"):
        pad(shape=[10**9])


@pytest.mark.parametrize("form", [*FORMS, lambda kind: pa.list_(kind, 2)])
def test_what_is_missing_in_lists_is_found_and_filled(form: Any) -> None:
    column = pa.array([[1.0, 2.0], None, [3.0, None], [float("nan"), 4.0]], form(pa.float64()))
    assert find_missing(column).tolist() == [1, 2, 3]  # type: ignore[union-attr]
    assert fill_missing(column, 7.0).to_pylist() == [[1, 2], [], [3, 7], [7, 4]]
    assert find_missing(pa.array([[1.0], []], pa.list_(pa.float64()))) is None


def test_what_is_missing_deeper_down_is_found_and_filled() -> None:
    column = pa.array([[[1]], [[None, 2]], [None], []], pa.list_(pa.list_(pa.int16())))
    assert find_missing(column).tolist() == [1, 2]  # type: ignore[union-attr]
    assert fill_missing(column, 0).to_pylist() == [[[1]], [[0, 2]], [[]], []]


def test_a_fill_that_is_no_item_is_refused() -> None:
    with pytest.raises(JobError, match="does not fit"):
        fill_missing(pa.array([[1, None]], pa.list_(pa.int8())), 0.5)


@pytest.mark.parametrize(("mask", "more"), [(None, {}), ("m", {"m": 4})])
def test_numbers_are_those_of_the_array_and_of_a_mask_where_it_has_a_name(
    mask: str | None, more: dict[str, int]
) -> None:
    step = Pad(step="pad", column="x", into="y", shape=(4, 3), mask_into=mask)
    assert step.count_numbers({}) == {"y": 12} | more
