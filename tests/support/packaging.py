"""An author's module, weights and sample, in a folder of the author's own."""

from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
import importlib
import io
from pathlib import Path
import sys
import textwrap
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model_zoo.package.package import Package, read_package
from pipelines import package
from pipelines.cli.command_line import run_program

ROWS = 1_200


@dataclass(frozen=True)
class Packaged:
    """What one packaging left."""

    status: int
    said: str
    error: str

    def refused(self, *words: str, status: int = 2) -> None:
        """Check that it ended in one plain line that holds these words."""
        assert self.status == status, self.error
        for word in words:
            assert word in self.error, self.error
        assert self.error.count("\n") == 1, self.error
        assert "internal error" not in self.error, self.error


@dataclass(frozen=True)
class Author:
    """Somebody with a model."""

    folder: Path
    module: ModuleType

    def save(self, network: torch.nn.Module, name: str = "w.pt") -> str:
        """Save its state dict, and return the path."""
        path = self.folder / name
        torch.save(network.state_dict(), path)
        return str(path)

    def sample(self, **columns: Any) -> str:
        """Write a sample, and return its path."""
        path = self.folder / "sample.parquet"
        pq.write_table(pa.table(columns), path)
        return str(path)

    def package(self, *flags: str, output: str = "model", **fields: str) -> Packaged:
        """Package with flags, and fields as `--field value`."""
        return self.call(*flags, "--output", str(self.folder / output), **fields)

    def call(self, *flags: str, **fields: str) -> Packaged:
        """Call the program with these flags, and fields, and no other."""
        words = list(flags)
        for name, value in fields.items():
            words += [f"--{name}", value]
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run_program(package.main, words)
        return Packaged(status, out.getvalue(), err.getvalue())

    def opened(self, output: str = "model") -> Package:
        """The package, with the author's module allowed."""
        return read_package(str(self.folder / output), modules=(self.module.__name__,))


@pytest.fixture
def author_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Author]]:
    """Give the author of a module with this source."""
    made: list[str] = []
    path = list(sys.path)

    def write(source: str) -> Author:
        name = f"authors_module_{len(made)}_{tmp_path.name.replace('-', '_')}"
        header = "import torch\nfrom torch import nn\n\n\n"
        (tmp_path / f"{name}.py").write_text(header + textwrap.dedent(source))
        monkeypatch.syspath_prepend(str(tmp_path))
        made.append(name)
        return Author(tmp_path, importlib.import_module(name))

    yield write
    # What packaging adds to it.
    sys.path[:] = path
    for name in made:
        del sys.modules[name]


NET = """
    class Net(nn.Module):
        def __init__(self, width=3, out=1):
            super().__init__()
            self.layer = nn.Linear(width, out)

        def forward(self, x):
            return self.layer(x)
"""


@pytest.fixture
def author(author_of: Callable[[str], Author]) -> Author:
    """The author of a linear network of three numbers."""
    return author_of(NET)


def numbers(rows: int = ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    """Three columns of numbers and a key, one of the columns integers."""
    random = np.random.default_rng(seed)
    return {
        "id": np.arange(rows),
        "a": random.normal(size=rows),
        "b": random.integers(-9, 9, rows),
        "c": random.gamma(2, size=rows),
    }


def stacked(table: dict[str, np.ndarray]) -> torch.Tensor:
    """The three columns as the network takes them, made without our code."""
    columns = [table[name] for name in ("a", "b", "c")]
    return torch.tensor(np.column_stack(columns)).float()
