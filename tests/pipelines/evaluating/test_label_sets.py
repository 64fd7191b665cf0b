"""Labels of rows however a table has them: lists, texts, columns of 0 and 1; and as a matrix."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError
from pipelines.evaluating.label_sets import (
    LabelSets,
    hint_at_separator,
    holds_lists,
    list_names,
    order_names,
    split_texts,
    to_matrix,
)

KNOWN = ["a", "b", "c"]


def read(separator: str | None = None, known: list[str] = KNOWN, **columns: Any) -> LabelSets:
    chunked = {name: pa.chunked_array([values]) for name, values in columns.items()}
    return list_names(chunked, separator, known)


def by_row(sets: LabelSets) -> list[list[str]]:
    """Return the labels of each row, pair by pair."""
    rows: list[list[str]] = [[] for _ in range(sets.rows)]
    for row, label in zip(sets.row, sets.label, strict=True):
        rows[row].append(sets.names[label])
    return rows


@pytest.mark.parametrize("as_list", [pa.list_, pa.large_list])
def test_lists_of_labels(as_list: Any) -> None:
    lists = pa.array([["a", "x"], [], ["x"], None], as_list(pa.string()))
    assert by_row(read(tags=lists[:3])) == [["a", "x"], [], ["x"]]
    numbers = pa.array([[7, 9], [9]])
    assert by_row(read(tags=numbers)) == [["7", "9"], ["9"]]
    fixed = pa.array([["a", "b"], ["b", "c"]], pa.list_(pa.string(), 2))
    assert by_row(read(tags=fixed)) == [["a", "b"], ["b", "c"]]


@pytest.mark.parametrize("dtype", [pa.string(), pa.large_string()])
def test_texts_of_labels(dtype: pa.DataType) -> None:
    texts = pa.array(["a; b", "", " ; ", "c"], dtype)
    assert by_row(read(";", tags=texts)) == [["a", "b"], [], [], ["c"]]
    of_words = texts.dictionary_encode()
    assert by_row(read(";", tags=of_words)) == [["a", "b"], [], [], ["c"]]
    assert split_texts(texts, None) is texts
    with pytest.raises(InputError, match=r"holds no lists of labels; --separator ';' for example"):
        read(tags=texts)
    with pytest.raises(InputError, match=r"of type int64 holds no lists of labels; or name the"):
        read(tags=pa.array([1]))


@pytest.mark.parametrize("dtype", [pa.bool_(), pa.int8(), pa.float32()])
def test_a_column_of_0_and_1_for_each_label(dtype: pa.DataType) -> None:
    one = pa.array([1, 0, 1]).cast(dtype)
    other = pa.array([0, 0, 1]).cast(dtype)
    sets = read(x=one, y=other)
    assert sets.rows == 3
    assert sets.names == ["x", "y"]
    assert by_row(sets) == [["x"], [], ["x", "y"]]


def test_columns_of_other_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="'y' holds other numbers than 0 and 1"):
        read(x=pa.array([0, 1]), y=pa.array([2, 1]))
    with pytest.raises(InputError, match="'y' of type string holds no 0 and 1"):
        read(x=pa.array([0, 1]), y=pa.array(["no", "yes"]))
    with pytest.raises(InputError, match="'y' holds other numbers"):
        read(x=pa.array([0, 1]), y=pa.array([None, 1]))


@pytest.mark.parametrize(
    ("lists", "known", "expected"),
    [
        ([[0, 1, 1], [0, 0, 0]], KNOWN, [["b", "c"], []]),
        ([[False, True, True]], KNOWN, [["b", "c"]]),
        ([[True, False]], ["a", "b"], [["a"]]),
        # The numbers of two labels, and not flags of them.
        ([[0, 1]], ["a", "b"], [["0", "1"]]),
        # Of other lengths, or other numbers, they are labels.
        ([[0, 1, 1], [0]], KNOWN, [["0", "1", "1"], ["0"]]),
        ([[0, 2, 1]], KNOWN, [["0", "2", "1"]]),
        ([[0.0, 1.0, 1.0]], KNOWN, [["0", "1", "1"]]),
    ],
)
def test_lists_of_0_and_1_are_flags_of_the_known_labels(
    lists: Any, known: list[str], expected: list[list[str]]
) -> None:
    assert by_row(read(known=known, tags=pa.array(lists))) == expected


def test_labels_that_are_missing_or_no_texts_are_refused() -> None:
    with pytest.raises(InputError, match="'tags': 2 labels in its lists are missing"):
        read(tags=pa.array([["a", None], [None]]))
    with pytest.raises(InputError, match=r"labels of type struct<.*> cannot be compared as text"):
        read(tags=pa.array([[{"x": 1}]]))


def test_a_matrix_has_1_where_a_row_has_a_label() -> None:
    sets = LabelSets(3, np.array([0, 0, 2]), np.array([1, 1, 0]), ["x", "y"])
    matrix = to_matrix(sets, ["y", "z", "x"])
    assert matrix.dtype == np.int8
    assert matrix.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    nothing = LabelSets(2, np.array([], np.int64), np.array([], np.int64), [])
    assert to_matrix(nothing, ["x"]).tolist() == [[0], [0]]


def test_labels_are_in_the_models_order_where_it_knows_them() -> None:
    def of(*names: str) -> LabelSets:
        return LabelSets(0, np.array([]), np.array([]), list(names))

    assert order_names(of("b"), of("a"), ["c", "b", "a"]) == ["c", "b", "a"]
    assert order_names(of("b"), of("z"), ["c", "b", "a"]) == ["b", "z"]
    assert order_names(of("b"), of("a"), []) == ["a", "b"]
    assert order_names(of(), of(), []) == []


def test_what_holds_lists_and_what_a_separator_is_for() -> None:
    lists = [pa.list_(pa.int8()), pa.large_list(pa.int8()), pa.list_(pa.int8(), 2)]
    assert [holds_lists(dtype) for dtype in lists] == [True] * 3
    assert not holds_lists(pa.string())
    assert hint_at_separator(pa.int8(), "x") == ""
    assert hint_at_separator(pa.large_string(), "x") == "; --separator x"
