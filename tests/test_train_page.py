"""docs/train.md: its commands on rows of one's own, as they are written, one after the other."""

from pathlib import Path
import re
import shlex
import shutil

import numpy as np
import pandas as pd
import pytest

from tests.support.programs import Programs
from tests.support.repository import REPOSITORY

PAGE = (REPOSITORY / "docs/train.md").read_text()
# The digits learn for fewer epochs, as for all other tests.
_SOONER = {"train_digits.yaml": ["--set", "training.epochs=6"]}
_COMMAND = re.compile(r"^    python -m (pipelines\.\w+)([^\n]*)$", re.MULTILINE)


def write_customers(path: Path, seed: int) -> None:
    """Write a table as people have it: missing values, texts, dates, a column of ids, a label of 0 and 1."""
    random = np.random.default_rng(seed)
    rows = 600
    age = random.normal(45, 12, rows)
    city = random.choice(["Bern", "Oslo", "Rome"], rows)
    leaves = (age - 45) / 8 + np.where(city == "Oslo", 1.5, -0.5) > 0
    table = pd.DataFrame(
        {
            "customer_id": [f"C{row:04d}" for row in range(rows)],
            "name": [f"N{number}" for number in random.permutation(rows)],
            "age": np.where(random.random(rows) < 0.1, np.nan, age),
            "city": np.where(random.random(rows) < 0.1, None, city),
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(random.integers(0, 900, rows), "D"),
            "vip": random.random(rows) < 0.2,
            "churned": leaves.astype(int),
        }
    )
    table.to_parquet(path)


@pytest.mark.program
@pytest.mark.slow
def test_the_page_works_as_it_is_written(programs: Programs, tmp_path: Path) -> None:
    # What the page says of bundled data sets needs their jobs.
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    write_customers(tmp_path / "customers.parquet", seed=0)
    write_customers(tmp_path / "new.parquet", seed=1)
    commands = _COMMAND.findall(PAGE)
    assert [program for program, _ in commands].count("pipelines.train") >= 4
    told = []
    for program, rest in commands:
        words = shlex.split(rest)
        sooner = _SOONER.get(Path(words[-1]).name, [])
        run = programs.run(program, *words, *sooner, cwd=tmp_path)
        assert run.returncode == 0, (program, rest, run.stderr)
        told.append(run.stdout)
    beside = {path.name for path in (tmp_path / "models/churn").iterdir()}
    assert {"1", "1.train.yaml", "1.job.yaml", "1.held_out", "1.html"} <= beside
    assert "1.checkpoint" not in beside
    accuracy = re.search(r"^accuracy +([\d.]+)", told[2], re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.8
    labels = pd.read_parquet(tmp_path / "models/churn/1.held_out/labels.parquet")
    assert list(labels.columns) == ["customer_id", "churned"]
    assert len(labels) == 150
    scores = pd.read_parquet(tmp_path / "scores/champion/current")
    assert len(scores) == 600
