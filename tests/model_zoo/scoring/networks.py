"""Networks that fail, and mini-batches of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from model_zoo.package.card import Tensor
from model_zoo.scoring.mini_batches import MiniBatches
from model_zoo.scoring.scored import Scored
from tests.support.builders import tiny_network

CPU = torch.device("cpu")
OUTPUTS = {"logit": Tensor(shape=())}
SECONDS = 120  # after which a thread that was not given would have come


def rows_of(count: int) -> np.ndarray:
    """Row i holds i, i + 0.5, -i."""
    numbers = np.arange(count, dtype=np.float32)
    return np.stack([numbers, numbers + 0.5, -numbers], axis=1)


class Network:
    """The tiny network, counting its calls, with an error for some rows: told by their first column, as in `rows_of`."""

    def __init__(
        self,
        bad: set[int] | None = None,
        error: Callable[[], Exception] = lambda: RuntimeError("no such row"),
    ) -> None:
        self.network, self.bad, self.error = tiny_network(), bad or set(), error
        self.slots: list[int] = []

    def __call__(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        self.slots.append(len(x))
        if self.bad.intersection(x[:, 0].int().tolist()):
            raise self.error()
        return self.network(x=x)  # type: ignore[no-any-return]


def mini_batches(
    network: Any, slots: int = 64, threads: int = 1, timeout_seconds: float = 60.0
) -> MiniBatches:
    return MiniBatches(network, OUTPUTS, CPU, torch.float32, slots, threads, timeout_seconds)


def failed(network: Any, x: np.ndarray, **changes: Any) -> Scored:
    scored = mini_batches(network, **changes)({"x": x})
    assert scored.rejected
    return scored
