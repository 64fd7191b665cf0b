"""Numbers, lists of them and groups as metrics take them, and what is none of these."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError
from pipelines.evaluating.numbers import number_groups, to_numbers, to_wide_numbers


def chunked(*chunks: list[Any], dtype: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array(chunks, dtype)


def test_numbers_and_texts_of_them_are_doubles() -> None:
    assert to_numbers(chunked([1, 2], [3]), "f").tolist() == [1.0, 2.0, 3.0]
    assert to_numbers(chunked(["1.5", "-2"]), "f").tolist() == [1.5, -2.0]
    with pytest.raises(InputError, match="f: a column of type string holds no numbers"):
        to_numbers(chunked(["one"]), "f")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (chunked([1, 2]), [[1], [2]]),
        (chunked([[1, 2]], [[3, 4]]), [[1, 2], [3, 4]]),
        (chunked([[[1, 2], [3, 4]]]), [[1, 2, 3, 4]]),
        (chunked([[1, 2]], dtype=pa.list_(pa.int8(), 2)), [[1, 2]]),
    ],
)
def test_lists_are_rows_of_numbers(column: pa.ChunkedArray, expected: list[list[int]]) -> None:
    assert to_wide_numbers(column, "f").tolist() == expected


@pytest.mark.parametrize("values", [[[1, 2], [3]], [[1], None], [[[1], [2, 3]], [[4], [5, 6]]]])
def test_lists_of_several_lengths_cannot_be_compared(values: Any) -> None:
    with pytest.raises(InputError, match="of several lengths"):
        to_wide_numbers(chunked(values), "f")


@pytest.mark.parametrize(("width", "fits"), [(1, False), (2, True), (3, False)])
def test_a_row_has_as_many_numbers_as_what_it_is_compared_with(width: int, fits: bool) -> None:
    column = chunked([[1, 2], [3, 4]])
    like = np.zeros((2, width))
    if fits:
        assert to_wide_numbers(column, "f", like).shape == (2, 2)
        return
    with pytest.raises(InputError, match=f"has 2 numbers a row, and is compared with {width}"):
        to_wide_numbers(column, "f", like)


@pytest.mark.parametrize("encoded", [True, False])
def test_rows_of_one_group_have_one_number(encoded: bool) -> None:
    column = chunked(["b", "a"], ["b"])
    groups = number_groups(column.dictionary_encode() if encoded else column, "g")
    assert groups.dtype == np.int64
    assert (groups[0] == groups[2], groups[0] == groups[1]) == (True, False)
    with pytest.raises(InputError, match="1 rows have no 'g'"):
        number_groups(chunked(["a", None]), "g")
