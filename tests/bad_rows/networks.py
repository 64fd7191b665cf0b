"""Networks that fail on purpose, as an architecture that model cards can name while a test runs."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from model_zoo.architectures import builders as architectures
from tests.support.builders import tiny_network


class Spoilt(nn.Module):
    """The tiny network, whose answers pass through `spoil(x, answer)`; the smoke batch, which is loaded with, does not."""

    calls: list[int]

    def __init__(self, spoil: Callable[[torch.Tensor, dict[str, torch.Tensor]], Any]) -> None:
        super().__init__()
        self.layers, self.spoil, self.calls = tiny_network().layers, spoil, []

    def forward(self, x: torch.Tensor) -> Any:
        values = self.layers(x)[:, 0]
        if not (x[:, 0] == x[:, 0].round()).all():  # only the rows of these tests are whole numbers
            return {"logit": values}
        self.calls.append(len(x))
        return self.spoil(x, {"logit": values})


def installed(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[torch.Tensor, dict[str, torch.Tensor]], Any]
) -> list[int]:
    """Make `spoilt` a builder; the rows of each of its calls, in every worker thread, are in the list that this gives."""
    calls: list[int] = []

    def build(**parameters: Any) -> nn.Module:
        network = Spoilt(spoil)
        network.calls = calls
        return network

    monkeypatch.setitem(architectures.BUILDERS, "spoilt", build)
    return calls


def failing_on(*rows: int) -> Callable[[torch.Tensor, dict[str, torch.Tensor]], Any]:
    """Raises when a row whose first column is one of `rows` is in the mini-batch."""
    bad = torch.tensor(rows, dtype=torch.float32)

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if torch.isin(x[:, 0], bad).any():
            raise ValueError("cannot take this row")
        return answer

    return spoil
