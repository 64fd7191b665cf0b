"""Rows whose scores are no finite numbers."""

import numpy as np
import pytest
import torch

from configs.errors import ModelError
from pipelines.packing.proof.finite import describe_not_finite, find_finite, refuse_without_scores

NAN, INF = float("nan"), float("inf")


def test_a_row_is_finite_in_all_outputs_or_not() -> None:
    outputs = {
        "a": np.array([1.0, NAN, 1.0, 1.0], np.float32),
        "b": np.array([[1, 2], [1, 2], [1, -INF], [0, 0]], np.float64),
        "numbers": np.arange(4),
    }
    assert find_finite(outputs).tolist() == [True, False, False, True]
    (note,) = describe_not_finite(outputs)
    assert note.startswith("2 rows of the sample")
    refuse_without_scores(outputs)


def test_nothing_is_told_of_finite_scores() -> None:
    assert describe_not_finite({"a": np.ones(3)}) == ()


def test_a_model_without_any_finite_score_is_refused_and_its_weights_looked_at() -> None:
    outputs = {"a": np.array([NAN, INF])}
    with pytest.raises(ModelError, match=r"for each of 2 rows.*scaled as in its training"):
        refuse_without_scores(outputs)
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    with pytest.raises(ModelError, match="scaled as in its training"):
        refuse_without_scores(outputs, network)
    torch.nn.init.constant_(network[0].bias, NAN)
    with pytest.raises(ModelError, match=r"1 hold NaN or infinity, the first: 0\.bias$"):
        refuse_without_scores(outputs, network)


@pytest.mark.parametrize(
    ("broken", "shown"),
    [
        (["0.weight", "0.bias", "1.weight"], "0.weight, 0.bias, 1.weight"),
        (["0.weight", "0.bias", "1.weight", "1.bias"], "0.weight, 0.bias, 1.weight"),
        (["1.running_mean"], "1.running_mean"),
    ],
)
def test_the_first_three_weights_are_named(broken: list[str], shown: str) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    for name in broken:
        tensor = network.state_dict()[name]
        # One number of several is enough.
        tensor.view(-1)[-1] = INF
    with pytest.raises(
        ModelError, match=f"{len(broken)} hold NaN or infinity, the first: {shown}$"
    ):
        refuse_without_scores({"a": np.array([NAN])}, network)
