"""Networks of torch_geometric by name: stacks of one kind of layer, of plain sizes and words."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from configs.errors import ModelError
from configs.suggest import nearest

# Closed: what these take is known, and that they compute a graph by its own nodes and edges alone.
_NETWORKS = ("EdgeCNN", "GAT", "GCN", "GIN", "GraphSAGE")
# By name, and not whatever their layers take: one of those (`cached`) keeps the first mini-batch's
# edges for all others.
_SIZES = frozenset(
    (
        "in_channels", "hidden_channels", "num_layers", "out_channels", "dropout", "act_first",
        "heads", "v2", "concat", "negative_slope", "edge_dim", "add_self_loops", "improved",
        "normalize", "bias", "project", "root_weight", "residual", "eps", "train_eps", "fill_value",
    )
)  # fmt: skip
_WORDS: Mapping[str, tuple[str, ...]] = {
    "act": ("relu", "elu", "gelu", "leaky_relu", "leakyrelu", "prelu", "sigmoid", "silu", "tanh"),
    "norm": ("BatchNorm", "GraphNorm", "InstanceNorm", "LayerNorm", "PairNorm"),
    "jk": ("last", "cat", "max", "lstm"),
    "aggr": ("add", "sum", "mean", "max", "min"),
}


def build_graph_network(
    library: Any,
    name: str,
    parameters: Mapping[str, Any],
) -> nn.Module:
    """Build a network of torch_geometric with random weights.

    Args:
        library: its module of models.
        name: of the class.
        parameters: of the card.

    Raises:
        ModelError: there is no such network, or a parameter is none that is taken.
    """
    if name not in _NETWORKS:
        hint = nearest(name, _NETWORKS)
        networks = ", ".join(_NETWORKS)
        raise ModelError(
            f"torch_geometric has no network {name!r} that is taken{hint}; there "
            f"are {networks}; other layers are taken in a module of your own"
        )
    for parameter, value in parameters.items():
        _check(name, parameter, value)
    network_class = getattr(library, name)
    network: nn.Module = network_class(**parameters)
    return network


def _check(network: str, parameter: str, value: Any) -> None:
    words = _WORDS.get(parameter)
    if words is not None:
        if value is not None and value not in words:
            listed = ", ".join(words)
            raise ModelError(
                f"network torch_geometric:{network}: {parameter} must be one of {listed}"
            )
        return
    if parameter not in _SIZES:
        known = sorted({*_SIZES, *_WORDS})
        hint = nearest(parameter, known)
        raise ModelError(
            f"network torch_geometric:{network} takes no parameter {parameter!r}{hint}"
        )
    if not isinstance(value, bool | int | float):
        raise ModelError(
            f"network torch_geometric:{network}: {parameter} must be a number, or true or false"
        )
