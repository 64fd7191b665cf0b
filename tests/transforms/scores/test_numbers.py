"""Several numbers a row, each a column of its own name."""

import numpy as np
import pytest

from configs.errors import JobError
from transforms.score_columns import list_score_columns, score_columns
from transforms.scores.options import ScoreColumns

NUMBERS = np.arange(6, dtype=np.float32).reshape(3, 2)


def test_each_number_is_a_column() -> None:
    how = ScoreColumns("none", numbers=("price", "weight"))
    assert list_score_columns({"y": NUMBERS}, how) == ["y", "price", "weight"]
    made = score_columns({"y": NUMBERS}, how, ["weight", "price"])
    assert made["price"].to_pylist() == [0, 2, 4]
    assert made["weight"].to_pylist() == [1, 3, 5]
    one = score_columns({"y": NUMBERS[:, 0]}, ScoreColumns("none", numbers=("price",)), ["price"])
    assert one["price"].to_pylist() == [0, 2, 4]


def test_names_that_do_not_fit_are_refused() -> None:
    with pytest.raises(JobError, match=r"names 3 numbers, and the model gives \(2,\) a row"):
        score_columns({"y": NUMBERS}, ScoreColumns("none", numbers=("a", "b", "c")), ["a"])
    how = ScoreColumns("none", numbers=("a", "b"))
    with pytest.raises(JobError, match="one output, not of"):
        score_columns({"y": NUMBERS, "z": NUMBERS}, how, ["a"])
