"""A month of nights through the program: each ends as somebody who looks at its rows would want it to."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipelines import release
from pipelines.cli.command_line import run_program
from tests.support.builders import tiny_network, tiny_package
from tests.support.jobs import Outcome, run_job, write_job, write_parquet

ROWS = 600
MONITOR = {
    "reference": "last 7",
    "columns": {
        "default": {"psi": {"warn": 0.1, "hold": 0.25}, "missing": {"hold": 0.1}},
        "region": {"new": {"hold": 0.03}},
    },
    "scores": {"label_share": {"hold": 0.15}},
    "rows": {"fewer_than": 0.5},
}
UNIT, REGION, HALF, NULLS, MODEL = 6, 8, 10, 12, 14
DRIFT = range(17, 25)
HELD = {
    UNIT: ("b", "psi"),
    REGION: ("region", "new"),
    HALF: (None, "rows"),
    NULLS: ("c", "missing"),
    MODEL: ("label", "label_share"),
}


def draw_night(night: int) -> pa.Table:
    """The rows of a night, with what goes wrong in it."""
    random = np.random.default_rng([11, night])
    columns = {name: random.normal(size=ROWS).astype(np.float32) for name in "abc"}
    regions = random.choice(["north", "south", "west"], ROWS).astype(object)
    # From then on a new shop sells abroad, and the mean of `a` creeps up and stays there.
    if night >= REGION:
        regions[random.random(ROWS) < 0.06] = "abroad"
    steps = min(max(night - DRIFT.start + 1, 0), len(DRIFT))
    columns["a"] += np.float32(0.1 * steps)
    if night == UNIT:
        columns["b"] *= np.float32(10)
    arrays = {name: pa.array(values) for name, values in columns.items()}
    if night == NULLS:
        arrays["c"] = pa.nulls(ROWS, pa.float32())
    table = pa.table({"id": np.arange(ROWS), "region": regions, **arrays})
    return table.slice(0, ROWS * 2 // 5) if night == HALF else table


@pytest.fixture
def job(tmp_path: Path) -> Path:
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    package = tiny_package(tmp_path / "model", columns=columns)
    source = {"passthrough": ["region"]}
    errors = {"max_rejected_percent": 100}
    return write_job(tmp_path, package, source=source, errors=errors, monitor=MONITOR)


def score_night(job: Path, night: int, bad_model: str) -> Outcome:
    write_parquet(job.parent / "shards/night.parquet", draw_night(night))
    settings = {"model.package": bad_model} if night == MODEL else {}
    return run_job(job, settings=settings)


def decide(outcome: Outcome, night: int) -> list[tuple[str | None, str]]:
    """Release what is as it should be from now on, discard all else, and tell why it was held."""
    (held,) = outcome.output.glob("runs/*/_held.json")
    findings = json.loads(held.read_text())["monitor"]["findings"]
    flags = ["--reason", f"night {night}", *([] if night == REGION else ["--discard"])]
    assert run_program(release.main, [str(outcome.output), held.parent.name, *flags]) == 0
    return [(f["column"], f["measure"]) for f in findings if f["level"] == "hold"]


@pytest.mark.slow
def test_a_month(job: Path, tmp_path: Path) -> None:
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    network = tiny_package(tmp_path / "other", network=turn_network(), columns=columns)
    verdicts, current = {}, ""
    for night in range(1, 31):
        outcome = score_night(job, night, network)
        if night in HELD:
            assert outcome.status == 6, (night, outcome.error)
            # Readers keep what they have.
            assert outcome.manifest["run_id"] == current
            assert decide(outcome, night)[0] == HELD[night], night
            verdicts[night] = "held"
        else:
            assert outcome.status == 0, (night, outcome.error)
            verdicts[night] = outcome.manifest["monitor"]["verdict"]
        current = outcome.manifest["run_id"]
    warned = [night for night, verdict in verdicts.items() if verdict == "warned"]
    # What creeps is told once it is far enough from the last seven nights, and no more once they know it.
    assert DRIFT.start < warned[0] <= DRIFT.stop
    assert warned[-1] < 30
    assert {verdict for night, verdict in verdicts.items() if night < DRIFT.start} == {
        "clean",
        "held",
    }
    released = [path for path in (job.parent / "scores/runs").iterdir() if _is_released(path)]
    assert len(released) == 1


def turn_network() -> torch.nn.Module:
    """A network that says yes where the usual one is nearly sure of it."""
    network = tiny_network()
    with torch.no_grad():
        network.get_parameter("layers.2.bias").add_(0.5)
    return network


def _is_released(run: Path) -> bool:
    return "released" in json.loads((run / "_manifest.json").read_text())
