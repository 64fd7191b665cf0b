"""In which dtype an input reaches a network: numbers of every width in one, whole numbers as they are."""

import pytest
import torch
from torch import nn

from model_zoo.architectures.taken_dtypes import TakenDtypes, find_taken_dtypes

HALF, SINGLE, DOUBLE = torch.float16, torch.float32, torch.float64


@pytest.mark.parametrize(
    ("given", "kept", "reaches"),
    [
        (DOUBLE, None, SINGLE),
        (HALF, None, SINGLE),
        (HALF, HALF, HALF),
        (DOUBLE, HALF, SINGLE),
        (torch.int64, None, torch.int64),
        (torch.bool, HALF, torch.bool),
    ],
)
def test_numbers_reach_it_in_one_dtype_but_for_those_that_are_kept(
    given: torch.dtype, kept: torch.dtype | None, reaches: torch.dtype
) -> None:
    tensor = torch.ones(2, dtype=given)
    cast = TakenDtypes(SINGLE, kept).cast(tensor)
    assert cast.dtype == reaches
    assert cast.tolist() == tensor.tolist()


@pytest.mark.parametrize(("weights", "dtype"), [(SINGLE, SINGLE), (DOUBLE, DOUBLE), (HALF, SINGLE)])
@pytest.mark.parametrize(("builder", "kept"), [("mlp", None), ("my_networks:make", HALF)])
def test_a_network_of_doubles_takes_doubles_and_one_of_others_keeps_halves(
    weights: torch.dtype, dtype: torch.dtype, builder: str, kept: torch.dtype | None
) -> None:
    network = nn.Linear(2, 1).to(weights)
    assert find_taken_dtypes(network, builder) == (dtype, kept)
