"""Labels meet their rows by key: in the order of the rows, each once, or not at all."""

from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError
from pipelines.evaluating.joining import find_true_labels


def chunked(*values: Any, dtype: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([list(values)], dtype)


def test_labels_come_in_the_order_of_the_rows_and_others_are_left_out() -> None:
    found = find_true_labels(
        chunked(3, 1, dtype=pa.int64()),
        chunked(1, 2, 3, dtype=pa.int8()),
        chunked("a", "b", "c"),
        "l.csv",
    )
    assert found.to_pylist() == ["c", "a"]


@pytest.mark.parametrize(
    ("scored", "keys", "labels", "why"),
    [
        ([1, 9, 8], [1, 2], ["a", "b"], "l.csv: has no label for 2 of 3 scored rows, .* key 9"),
        # A label that is missing is none.
        ([1, 2], [1, 2], ["a", None], "no label for 1 of 2 scored rows, the first with key 2"),
        ([1, 1], [1, 2], ["a", "b"], "the scored rows: 2 keys, but only 1 different ones"),
        ([1], [2, 2, 1], ["a", "b", "c"], "l.csv: 3 keys, but only 2 different ones"),
        ([1, None], [1], ["a"], "the scored rows: 1 rows have no key"),
        ([1], [1, None], ["a", "b"], "l.csv: 1 rows have no key"),
        ([1], ["one"], ["a"], "l.csv: its keys of type string cannot be matched with int64"),
    ],
)
def test_what_cannot_be_matched_is_refused(
    scored: list[Any], keys: list[Any], labels: list[Any], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        find_true_labels(chunked(*scored), chunked(*keys), chunked(*labels), "l.csv")
