"""docs/versions.md: its commands, as they are written, on two versions of a model and a table of customers."""

from pathlib import Path
import re
import shlex

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tests.support.programs import Programs
from tests.support.repository import REPOSITORY

PAGE = REPOSITORY / "docs/versions.md"
_COMMAND = re.compile(r"^    python -m (pipelines\.\w+)([^\n]*)$", re.MULTILINE)


def write_customers(folder: Path) -> None:
    """Write a table whose first column alone tells who leaves."""
    numbers = np.random.default_rng(0).normal(size=(400, 3))
    table = pd.DataFrame(numbers, columns=["age", "visits", "spent"])
    table.insert(0, "customer_id", range(len(table)))
    table.to_parquet(folder / "customers.parquet")
    churned = numbers[:, 0] + 0.2 * numbers[:, 1] > 0
    labels = pd.DataFrame({"customer_id": table["customer_id"], "churned": churned.astype(int)})
    labels.to_parquet(folder / "labels.parquet")


def write_weights(folder: Path, name: str, weights: list[float]) -> None:
    layer = nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([weights]))
        layer.bias.zero_()
    torch.save(
        {"layers.0.weight": layer.weight, "layers.0.bias": layer.bias}, folder / f"{name}.pt"
    )


@pytest.mark.program
@pytest.mark.slow
def test_the_page_works_as_it_is_written(programs: Programs, tmp_path: Path) -> None:
    write_customers(tmp_path)
    # The second version sees what matters.
    for version, weights in (("1", [0.3, 0.1, 1.0]), ("2", [1.0, 0.2, 0.0])):
        write_weights(tmp_path, version, weights)
        words = ["--network", "mlp", "--set", "parameters={in_features: 3, hidden: [], out_features: 1}"]  # fmt: skip
        words += ["--weights", f"{version}.pt", "--sample", "customers.parquet"]
        words += ["--key", "customer_id", "--activation", "sigmoid", "--labels", "0,1"]
        words += ["--version", version, "--output", f"models/churn/{version}"]
        run = programs.run("pipelines.package", *words, cwd=tmp_path)
        assert run.returncode == 0, run.stderr
    told = []
    for program, rest in _COMMAND.findall(PAGE.read_text()):
        words, _, target = rest.partition(" > ")
        run = programs.run(program, *shlex.split(words), cwd=tmp_path)
        assert run.returncode == 0, (program, rest, run.stderr)
        told.append(run.stdout)
        if target:
            (tmp_path / target.strip()).write_text(run.stdout)
    assert "versions 1, 2" in told[0]
    lines = told[-1].splitlines()
    assert lines[1] == "champion: 1"
    assert lines[2].endswith(": worse in June")
    assert "promoted 2 by" in lines[3]
    assert lines[4].endswith(": the first")
