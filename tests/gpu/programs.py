"""Steps that run programs as a user does, and that train."""

from collections.abc import Sequence
import json
from pathlib import Path
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import save_file

from model_zoo.architectures.builders import build
from model_zoo.training.examples import Examples
from model_zoo.training.loop import train
from model_zoo.training.objective import Objective
from model_zoo.training.recipe import Precision, Recipe
from model_zoo.training.repeatable import repeatable
from tests.gpu.bench import CLOSE, Bench, Figures, check
from tests.gpu.workloads import TABLE, Workload

_EPOCHS = 3
# Of a validation loss: other kernels, and shorter floats, learn nearly the same.
_CLOSE_LOSS = 0.02


def check_program(bench: Bench) -> Figures:
    """Score a table with the whole program, on the device and on the CPU."""
    workload = bench.shrink(TABLE)
    rows = bench.count(2_000_000)
    shards = _write_shards(bench, workload, rows)
    package = _pack_table(workload, bench.folder)
    seconds = {}
    for device in (bench.device, "cpu"):
        began = time.perf_counter()
        _score(bench.folder / device, shards, package, device)
        seconds[device] = time.perf_counter() - began
    there = _read_scores(bench.folder / bench.device)
    here = _read_scores(bench.folder / "cpu")
    difference = float(np.abs(there - here).max())
    check(len(there) == rows, f"{len(there)} rows of {rows} came out")
    check(difference <= CLOSE, f"scores differ by {difference:.3g}")
    return {
        "rows/s on the device": rows / seconds[bench.device],
        "rows/s on the CPU": rows / seconds["cpu"],
        "largest difference": difference,
    }


def check_tuning(bench: Bench) -> Figures:
    """Tune for the device, and score with what was found."""
    workload = bench.shrink(TABLE)
    rows = bench.count(100_000)
    shards = _write_shards(bench, workload, rows)
    package = _pack_table(workload, bench.folder)
    report = bench.folder / "tuning.json"
    words = [
        f"--config={package}.job.yaml",
        f"--input={shards}/*.parquet",
        f"--set=model.device={bench.device}",
        f"--set=model.tuning_report={report}",
        "--minutes=0.3",
    ]
    _run("pipelines.tune", words)
    found = json.loads(report.read_text())
    plain = bench.folder / "plain"
    tuned = bench.folder / "tuned"
    _score(plain, shards, package, bench.device)
    as_found = ["--set=model.dtype=auto", f"--set=model.tuning_report={report}"]
    _score(tuned, shards, package, bench.device, as_found)
    difference = float(np.abs(_read_scores(tuned) - _read_scores(plain)).max())
    allowed = found["tolerance"]["max_difference"]
    check(difference <= allowed, f"tuned, scores differ by {difference:.3g}")
    settings = found["settings"]
    return {
        "settings tried": len(found["tried"]),
        "fastest": f"{settings['engine']} {settings['dtype']}, {settings['batch_rows']} rows",
        "times as fast as float32": found["speed_up"],
        "largest difference": difference,
    }


def check_training(bench: Bench) -> Figures:
    """Train a network on the device and on the CPU, and in the device's shorter floats."""
    rows = bench.count(50_000)
    precisions: dict[str, tuple[str, Precision]] = {
        "CPU float32": ("cpu", "float32"),
        "float32": (bench.device, "float32"),
        "bfloat16": (bench.device, "bfloat16"),
    }
    if bench.is_gpu:
        precisions["float16"] = (bench.device, "float16")
    figures: dict[str, Any] = {}
    expected = None
    for name, (device, precision) in precisions.items():
        began = time.perf_counter()
        loss = _train(rows, device, precision)
        seconds = time.perf_counter() - began
        expected = loss if expected is None else expected
        is_close = abs(loss - expected) <= _CLOSE_LOSS
        check(is_close, f"{name}: validation loss {loss:.4f}, on the CPU {expected:.4f}")
        figures[f"{name}, rows/s"] = _EPOCHS * rows / seconds
        figures[f"{name}, validation loss"] = loss
    return figures


def _train(rows: int, device: str, precision: Precision) -> float:
    """Train the table's network on rows that it can learn, and return its validation loss."""
    recipe = Recipe(epochs=_EPOCHS, batch_rows=256, device=device, precision=precision)
    with repeatable(recipe.seed):
        network = build(TABLE.builder, TABLE.parameters)
    inputs = TABLE.make_rows(2 * rows)
    (features,) = inputs.values()
    targets = (features.sum(axis=1) > 0).astype(np.int64)
    training = Examples({"x": features[:rows]}, targets[:rows])
    validation = Examples({"x": features[rows:]}, targets[rows:])
    objective = Objective("classification", "sigmoid")
    epochs = train(network, training, validation, objective, recipe, lambda epoch: None)
    return epochs[-1].validation_loss


def _write_shards(bench: Bench, workload: Workload, rows: int) -> Path:
    """Write a table of one shard, and return its folder."""
    shards = bench.folder / "shards"
    shards.mkdir(exist_ok=True)
    table = pa.table(_make_columns(workload, rows))
    pq.write_table(table, shards / "part-0.parquet", row_group_size=1 << 17)
    return shards


def _make_columns(workload: Workload, rows: int) -> dict[str, np.ndarray]:
    (features,) = workload.make_rows(rows).values()
    columns: dict[str, np.ndarray] = {"id": np.arange(rows)}
    for number in range(features.shape[1]):
        columns[f"f{number}"] = features[:, number]
    return columns


def _pack_table(workload: Workload, folder: Path) -> Path:
    """Pack the table's network by the program itself, as a user does."""
    network = workload.build()
    weights = folder / "table.safetensors"
    save_file(network.state_dict(), weights)
    sample = folder / "sample.parquet"
    pq.write_table(pa.table(_make_columns(workload, 500)), sample)
    output = folder / "table_package"
    parameters = workload.parameters
    words = [
        f"--network={workload.builder}",
        f"--weights={weights}",
        f"--sample={sample}",
        "--key=id",
        "--activation=sigmoid",
        "--name=table",
        f"--output={output}",
        # Nothing of it is measured here.
        "--set=onnx=false",
    ]
    for name, value in parameters.items():
        words.append(f"--set=parameters.{name}={value}")
    _run("pipelines.package", words)
    return output


def _score(
    output: Path,
    shards: Path,
    package: Path,
    device: str,
    more: Sequence[str] = (),
) -> None:
    words = [
        f"--config={package}.job.yaml",
        f"--input={shards}/*.parquet",
        f"--output={output}",
        f"--set=model.device={device}",
        *more,
    ]
    _run("pipelines.score", words)


def _run(program: str, words: Sequence[str]) -> None:
    command = [sys.executable, "-m", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{program}: status {done.returncode}: {done.stderr.strip()}")


def _read_scores(folder: Path) -> np.ndarray:
    run = (folder / "CURRENT").read_text().strip()
    table = pq.read_table(folder / "runs" / run / "scored").sort_by("id")
    values: np.ndarray = table.column("probability").to_numpy()
    return values
