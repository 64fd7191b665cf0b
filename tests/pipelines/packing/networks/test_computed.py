"""What a model gives is taken with as many rows as it was called with, and why it fails is one line."""

import numpy as np
import pytest
import torch

from configs.errors import ModelError
from pipelines.packing.networks.computed import find_reason, make_failure, to_arrays

INPUTS = {"x": np.zeros((3, 2), np.float32), "n": np.zeros(3, np.int64)}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("of two\n  lines"), "ValueError: of two lines"),
        (ValueError("x" * 1_000), "ValueError: " + "x" * 288),
        (KeyError(), "KeyError"),
        (ValueError(" \n"), "ValueError"),
    ],
)
def test_a_reason_is_one_short_line_and_never_none(error: Exception, reason: str) -> None:
    assert find_reason(error) == reason


def test_a_failure_says_what_was_given() -> None:
    failure = make_failure("the network", INPUTS, ValueError("no"))
    assert (
        str(failure)
        == "the network fails on {'x': 'float32[3, 2]', 'n': 'int64[3]'}: ValueError: no"
    )


def test_outputs_of_so_many_rows_are_taken_as_they_are() -> None:
    outputs = {"logit": torch.tensor([1.0, 2.0, 3.0])}
    assert to_arrays(outputs, 3, "the network")["logit"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("shape", [(), (2,), (1, 3)])
def test_outputs_of_other_rows_are_refused(shape: tuple[int, ...]) -> None:
    message = r"the graph's output y has shape \(.*\) for 3 rows; its first .* be the rows; do x$"
    with pytest.raises(ModelError, match=message):
        to_arrays({"y": torch.zeros(shape)}, 3, "the graph", fix="; do x")


@pytest.mark.parametrize(
    "output",
    [
        torch.zeros(3, 2, dtype=torch.bfloat16),
        torch.zeros(3, 2, dtype=torch.complex64),
        torch.zeros(3, 2).to_sparse(),
        torch.zeros(3, 0),
    ],
)
def test_outputs_that_no_table_holds_are_refused(output: torch.Tensor) -> None:
    with pytest.raises(ModelError, match=r"output y is torch\..*; let forward convert it"):
        to_arrays({"y": output}, 3, "the network")
