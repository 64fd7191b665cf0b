"""Numbers of a library's parameters, up to the largest that are taken."""

from typing import Any

import pytest

from configs.errors import ModelError
from model_zoo.architectures.library_parameters import check_parameters


@pytest.mark.parametrize(
    "parameters",
    [
        {"depth": 10_000},
        {"num_hidden_layers": -10_000, "vocab_size": (1 << 24) - 10_000},
        {"widths": [1 << 23, 1 << 23]},
        {"stages": True, "rate": 1e30},
    ],
    ids=str,
)
def test_the_largest_numbers_that_are_taken(parameters: dict[str, Any]) -> None:
    check_parameters("timm:any", parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"depth": 10_001},
        {"Layers": -10_001},
        {"block": {"stages": 10_001}},
        {"vocab_size": (1 << 24) + 1},
        {"widths": [1 << 23, 1 << 23, 1]},
    ],
    ids=str,
)
def test_one_more_is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="network timm:any: "):
        check_parameters("timm:any", parameters)
