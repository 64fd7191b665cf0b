"""Which weights of a network are trained, and by what optimiser."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

import torch
from torch import nn

from configs.errors import JobError
from model_zoo.architectures.disjoint_graphs import DisjointGraphs
from model_zoo.architectures.named_tensors import NamedTensors
from model_zoo.training.recipe import Recipe


@contextmanager
def trained_parts(
    network: nn.Module,
    patterns: Sequence[str],
) -> Iterator[None]:
    """Let only some weights change in this block; afterwards all that could can again.

    Args:
        network: whose weights they are.
        patterns: of their names, `head.*` for example; none for all.

    Raises:
        JobError: a pattern that is no weight's.
    """
    network = _unwrap(network)
    frozen = []
    if patterns:
        _refuse_unknown(network, patterns)
    for name, weight in network.named_parameters():
        # What the author froze stays as it is, too.
        is_wanted = not patterns or _is_any(name, patterns)
        if weight.requires_grad and not is_wanted:
            frozen.append(weight)
    for weight in frozen:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        # The next training of this network may be of all of it.
        for weight in frozen:
            weight.requires_grad_(True)


def set_training(network: nn.Module) -> None:
    """Put the network in training mode, but for parts of which no weight is trained.

    Those compute as they will in scoring: batch normalisation would go on changing what it knows of
    the numbers that come by.
    """
    network.train()
    for part in network.modules():
        weights = list(part.parameters())
        is_trained = any(weight.requires_grad for weight in weights)
        if weights and not is_trained:
            part.eval()


def list_trained(network: nn.Module) -> list[nn.Parameter]:
    """Return the weights that are trained.

    Raises:
        JobError: there are none.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if not weights:
        raise JobError(
            "the network has no weight that can be trained; name another network.builder"
        )
    return weights


def make_optimiser(
    weights: Sequence[nn.Parameter],
    recipe: Recipe,
) -> torch.optim.Optimizer:
    """Return the optimiser that the recipe names.

    Args:
        weights: that it changes.
        recipe: how.
    """
    if recipe.optimiser in ("adam", "adamw"):
        return torch.optim.AdamW(
            weights,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
    # Plain SGD is the one without momentum.
    momentum = 0.0
    if recipe.optimiser == "momentum":
        momentum = recipe.momentum
    return torch.optim.SGD(
        weights,
        lr=recipe.learning_rate,
        momentum=momentum,
        weight_decay=recipe.weight_decay,
    )


def _refuse_unknown(
    network: nn.Module,
    patterns: Sequence[str],
) -> None:
    names = [name for name, _ in network.named_parameters()]
    unknown = [repr(pattern) for pattern in patterns if not _names_any(pattern, names)]
    if unknown:
        # A network may have thousands: the first and the last show how they are named.
        listed = ", ".join(unknown)
        first, last = names[0], names[-1]
        raise JobError(
            f"training.train_only names no weight of the network: {listed}; "
            f"there are {len(names)}, from {first} to {last}"
        )


def _unwrap(network: nn.Module) -> nn.Module:
    """Return the author's own network, whose names of weights the author knows."""
    while isinstance(network, NamedTensors | DisjointGraphs):
        network = network.network
    return network


def _names_any(pattern: str, names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _is_any(
    name: str,
    patterns: Sequence[str],
) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
