"""Networks of several shapes, and the files that torch.export and torch.jit make of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
import warnings

import numpy as np
import pandas as pd
import torch
from torch import nn

from model_zoo.arrays import Arrays
from model_zoo.engines.settings import Settings
from model_zoo.package.package import read_package
from model_zoo.scoring.scorer import load_scorer

NAMES = ["age", "visits", "spent", "calls", "days", "score"]
ROWS = 1000


class Plain(nn.Module):
    """Weights, a buffer, normalisation and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 16)
        self.norm = nn.BatchNorm1d(16)
        self.last = nn.Linear(16, 1)
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("scale", torch.arange(1.0, 7.0))
        self.norm.running_mean.uniform_(-1, 1)

    def forward(self, x):
        hidden = torch.relu(self.norm(self.first(x * self.scale)))
        return self.last(self.dropout(hidden))


class Towers(nn.Module):
    """Two inputs of different dtypes in, a dict out."""

    def __init__(self) -> None:
        super().__init__()
        self.product = nn.Embedding(50, 8)
        self.customer = nn.Linear(3, 8)

    def forward(self, product, customer) -> dict[str, torch.Tensor]:
        vector = self.customer(customer)
        return {"affinity": (self.product(product) * vector).sum(1), "vector": vector}


class Recurrent(nn.Module):
    """A tuple out; what an LSTM begins with has as many rows as its input."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.LSTM(1, 8, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x) -> tuple[torch.Tensor, torch.Tensor]:
        every, (hidden, _) = self.steps(x.unsqueeze(2))
        return self.last(every[:, -1]), hidden[-1]


def numbers(rows: int = ROWS) -> pd.DataFrame:
    values = np.random.default_rng(1).normal(size=(rows, len(NAMES)))
    return pd.DataFrame(values, columns=NAMES)


def pairs(rows: int = ROWS) -> pd.DataFrame:
    frame = numbers(rows)[NAMES[:3]]
    frame["product"] = np.random.default_rng(2).integers(0, 50, rows)
    return frame


def made(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return kind().eval()


def first_rows(frame: pd.DataFrame, rows: int = 4) -> torch.Tensor:
    return torch.tensor(frame.to_numpy(np.float32)[:rows])


def exported(path: Path, network: nn.Module, example: Sequence[Any], shapes: Any = None) -> Path:
    with warnings.catch_warnings():
        # Of an LSTM torch says that its weights are no buffers.
        warnings.simplefilter("ignore")
        program = torch.export.export(network, tuple(example), dynamic_shapes=shapes)
    torch.export.save(program, path)
    return path


def score(folder: Path, inputs: Arrays) -> Arrays:
    """What a nightly job computes with the package that `pack_file` wrote."""
    package = read_package(str(folder / "package"))
    assert not any(name.endswith((".pt", ".pt2")) for name in package.card.files)
    scorer = load_scorer(package, "cpu", Settings(64, engine="onnxruntime"), 1)
    return scorer(inputs).outputs
