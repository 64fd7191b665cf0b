"""Small real things that unit tests build on: a model package, units, batches, run folders."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import save
import torch

from configs.errors import RowError
from model_zoo.architectures.builders import build
from model_zoo.package.package import SMOKE, write_package
from model_zoo.steps.stack import Stack
from storage import files, inputs
from storage.run_folder import RunFolder
from transforms.batches import (
    Arrays,
    BatchId,
    FeatureBatch,
    RawBatch,
    RejectedBatch,
    RowRecord,
    ScoredBatch,
    WorkUnit,
)
from transforms.output.plan_file import StoredPlan, encode_plan
from transforms.rejected import record_rows

FEATURES = ("a", "b", "c")


def tiny_network(
    seed: int = 3, features: int = 3, hidden: int | tuple[int, ...] = 8
) -> torch.nn.Module:
    """An MLP with one output, and one hidden layer or as many as are said."""
    torch.manual_seed(seed)
    widths = [hidden] if isinstance(hidden, int) else list(hidden)
    return build("mlp", {"in_features": features, "hidden": widths, "out_features": 1}).eval()


def smoke_file(
    network: torch.nn.Module,
    features: tuple[str, ...] = FEATURES,
    rows: int = 8,
    shift: float = 0.0,
) -> bytes:
    """A smoke batch with `input.x` and `output.logit`; `shift` is added to the expected outputs."""
    x = np.random.default_rng(3).standard_normal((rows, len(features)), dtype=np.float32)
    with torch.inference_mode():
        logit = network(x=torch.from_numpy(x))["logit"].numpy() + np.float32(shift)
    stacked = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), len(features))
    return parquet(
        pa.table(
            {**dict(zip(features, x.T, strict=True)), "input.x": stacked, "output.logit": logit}
        )
    )


def parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def tiny_card(
    features: tuple[str, ...] = FEATURES, hidden: int = 8, **changes: Any
) -> dict[str, Any]:
    """Fields of the model card that belong to `tiny_network`."""
    return {
        "name": "tiny",
        "version": "1",
        "builder": "mlp",
        "parameters": {"in_features": len(features), "hidden": [hidden], "out_features": 1},
        "columns": [{"name": name, "type": "float", "missing": "error"} for name in features],
        "inputs": {"x": {"dtype": "float32", "shape": [len(features)]}},
        "outputs": {"logit": {"dtype": "float32", "shape": []}},
        "activation": "sigmoid",
        "labels": ["no", "yes"],
        **changes,
    }


def tiny_package(
    url: Path | str,
    *,
    features: tuple[str, ...] = FEATURES,
    hidden: int = 8,
    network: torch.nn.Module | None = None,
    contents: dict[str, bytes] | None = None,
    steps: tuple[Any, ...] | None = None,
    **changes: Any,
) -> str:
    """Write a package of `tiny_network` and return its URL; `contents` replaces or adds files, `changes` fields of the card."""
    made = _contents_of_tiny(features, hidden) if network is None else _contents(network, features)
    stored = {**made, **(contents or {})}
    if changes.get("weights", "weights.safetensors") != "weights.safetensors":
        stored.pop("weights.safetensors")
    fitted = (Stack(step="stack", columns=features, into="x"),) if steps is None else steps
    write_package(str(url), tiny_card(features, hidden, **changes), fitted, stored)
    return str(url)


def _contents(network: torch.nn.Module, features: tuple[str, ...]) -> dict[str, bytes]:
    return {
        "weights.safetensors": save(network.state_dict()),
        SMOKE: smoke_file(network, features),
    }


@cache
def _contents_of_tiny(features: tuple[str, ...], hidden: int) -> dict[str, bytes]:
    """Return the files of the network that a thousand tests score with; nobody changes what comes back."""
    return _contents(tiny_network(features=len(features), hidden=hidden), features)


def make_unit(
    index: int = 0,
    rows: int | None = 10,
    shard: str = "s.parquet",
    first_row: int = 0,
    **changes: Any,
) -> WorkUnit:
    fields = {"version": "v", "span": (0, 1), "bytes": 100, **changes}
    return WorkUnit(index=index, shard=shard, first_row=first_row, rows=rows, **fields)


def unit_of(path: Path | str, rows: int | None, *, index: int = 0, **changes: Any) -> WorkUnit:
    """The unit that a whole existing file is: one row group of Parquet, or a CSV file, whose rows nobody knows."""
    version = inputs.read_version(str(path))
    assert version is not None
    changes.setdefault("span", () if rows is None else (0, 1))
    return make_unit(index, rows, str(path), version=version, **changes)


def raw_batch(
    columns: dict[str, Any],
    *,
    first_row: int = 0,
    unit: WorkUnit | None = None,
    last: bool = True,
    record: RowRecord | None = None,
) -> RawBatch:
    rows = pa.RecordBatch.from_pydict(columns)
    unit = unit or make_unit(rows=None)
    numbers = np.arange(first_row, first_row + rows.num_rows)
    default = RowRecord("id" if "id" in columns else None)
    return RawBatch(
        unit, BatchId(unit.shard, first_row), rows, numbers, last, record=record or default
    )


def feature_batch(raw: RawBatch, **inputs: np.ndarray) -> FeatureBatch:
    arrays: Arrays = dict(inputs)
    return FeatureBatch(raw, arrays)


def rejected(
    unit: WorkUnit, first_row: int, numbers: list[int], stage: str = "preprocess"
) -> RejectedBatch:
    reasons = [RowError(f"row {n}") for n in numbers]
    rows = pa.RecordBatch.from_pydict({"id": pa.array(numbers, type=pa.int64())})
    return record_rows(
        BatchId(unit.shard, first_row), stage, np.array(numbers), reasons, rows, RowRecord("id")
    )


def scored_batch(
    unit: WorkUnit,
    first_row: int,
    ids: list[int],
    *,
    filtered: int = 0,
    bad: tuple[int, ...] = (),
    last: bool = False,
    columns: dict[str, Any] | None = None,
) -> ScoredBatch:
    """Scored rows with an int64 `id` and a float32 `p` = id / 100, beside `filtered` and `bad` ones."""
    rows = pa.RecordBatch.from_pydict(
        columns
        or {
            "id": pa.array(ids, type=pa.int64()),
            "p": pa.array(np.array(ids, dtype=np.float32) / 100),
        }
    )
    failed = (rejected(unit, first_row, list(bad)),) if bad else ()
    rows_in = rows.num_rows + filtered + len(bad)
    return ScoredBatch(
        unit, BatchId(unit.shard, first_row), rows, rows_in, filtered, failed, last, "cpu float32"
    )


def planned_run(output: str, units: list[WorkUnit], run_id: str = "run1") -> RunFolder:
    """A run folder whose plan is stored."""
    run = RunFolder(output, run_id)
    inputs = {
        u.shard: {"url": u.shard, "bytes": u.bytes, "version": u.version, "rows": u.rows}
        for u in units
    }
    files.create(run.plan, encode_plan(StoredPlan(tuple(units), tuple(inputs.values()), ())))
    return run
