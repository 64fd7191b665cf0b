"""What a card may say of a network of torch_geometric, without the library: sizes and plain words of some networks alone."""

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.graph_networks import build_graph_network


class Network(nn.Module):
    """Keeps what it was built with."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__()
        self.parameters_given = parameters


LIBRARY = SimpleNamespace(GCN=Network, GIN=Network, Planted=Network)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"in_channels": 3, "dropout": 0.5, "act_first": True},
        {"act": "relu", "norm": "LayerNorm", "jk": "cat", "aggr": "mean"},
        {"act": None, "norm": None},
    ],
)
def test_sizes_and_plain_words_are_given_to_the_network(parameters: dict[str, Any]) -> None:
    built: Any = build_graph_network(LIBRARY, "GCN", parameters)
    assert built.parameters_given == parameters


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        ("Planted", {}, "torch_geometric has no network 'Planted' that is taken"),
        ("GCM", {}, "has no network 'GCM' that is taken; did you mean GCN"),
        ("GCN", {"act": "planted"}, "act must be one of relu, elu"),
        ("GCN", {"norm": 1}, "norm must be one of BatchNorm"),
        ("GCN", {"aggr": ["mean"]}, "aggr must be one of add"),
        ("GCN", {"act_kwargs": {}}, "takes no parameter 'act_kwargs'"),
        ("GCN", {"dropouts": 0.5}, "takes no parameter 'dropouts'; did you mean dropout"),
        ("GCN", {"in_channels": [3]}, "in_channels must be a number"),
        ("GCN", {"in_channels": "3"}, "in_channels must be a number"),
        ("GCN", {"heads": None}, "heads must be a number"),
        ("GIN", {"in_channels": 3, "act": "x"}, "torch_geometric:GIN: act must be one of"),
    ],
)
def test_other_words_are_refused(name: str, parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        build_graph_network(LIBRARY, name, parameters)
