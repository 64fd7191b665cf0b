"""Manifests and profiles as runs leave them, made by hand: what a report is made of."""

from typing import Any

from pipelines.reporting.reading import ToldRun
from storage.run_folder import RunFolder

CUTS = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]
LEVELS = [1, 4, 20, 25, 25, 20, 4, 1]


def make_manifest(run_id: str = "b2", **fields: Any) -> dict[str, Any]:
    """The manifest of a small run, with other fields where they are named."""
    manifest = {
        "format": 1,
        "job": {
            "name": "churn",
            "source": {"paths": ["in/*.parquet"], "key": "id"},
            "errors": {"max_rejected_rows": 5, "max_rejected_percent": 0.0},
            "monitor": {"summaries": ["profile"]},
        },
        "model": {
            "name": "churn",
            "version": "7",
            "digest": "abc",
            "package": "models/churn/7",
            "labels": ["stays", "leaves"],
            "task": "classification",
        },
        "computing": {"device": "cpu", "dtype": "float32"},
        "engine": {"name": "torch", "library": "2.13.0", "chosen_by": "the job"},
        "agreement": None,
        "schema": [{"name": "id", "type": "int64"}, {"name": "probability", "type": "float"}],
        "libraries": {"python": "3.11.9", "torch": "2.13.0"},
        "planned_at": "2026-05-02T01:00:00.000000+00:00",
        "started_at": "2026-05-02T01:00:00+00:00",
        "inputs": [
            {"url": "in/0.parquet", "version": "1"},
            {"url": "in/1.parquet", "version": "1"},
        ],
        "ignored_inputs": ["in/_SUCCESS"],
        "units": [{"shard": "in/0.parquet"}, {"shard": "in/1.parquet"}],
        "run_id": run_id,
        "published_at": "2026-05-02T01:02:03.000+00:00",
        "rows": {"in": 1000, "scored": 997, "filtered": 0, "rejected": 3},
        "computed_by": ["cpu, float32"],
        "workers": {"w1": 1, "w2": 1},
        "seconds": 12.5,
        "rows_per_second": 80,
        "peak_memory_bytes": 300_000_000,
        "stages": {
            "read": {"seconds": 5.0, "share": 0.25},
            "predict": {"seconds": 15.0, "share": 0.75},
        },
        "files": [{"path": "scored/part-00000-0123456789ab.parquet", "rows": 997}],
        "rejected_files": [],
    }
    return {**manifest, **fields}


def make_finding(level: str, column: str | None, says: str, **fields: Any) -> dict[str, Any]:
    """A finding of the comparison."""
    finding = {
        "level": level,
        "kind": "input",
        "column": column,
        "of": "value",
        "measure": "psi",
        "value": 0.4,
        "reference": None,
        "threshold": 0.25,
        "chance": 1e-9,
        "says": says,
    }
    return {**finding, **fields}


def make_monitor(verdict: str, *findings: Any, distances: Any = (), **reference: Any) -> Any:
    """What a manifest says of the comparison with training."""
    return {
        "reference": {
            "kind": "training",
            "says": "training (5,000 rows)",
            "runs": [],
            "rows": 5000,
            "profile": None,
            **reference,
        },
        "verdict": verdict,
        "findings": list(findings),
        "distances": list(distances),
    }


def make_row(column: str = "age", kind: str = "input", **fields: Any) -> dict[str, Any]:
    """A row of a profile, of numbers unless `fields` say otherwise."""
    row = {
        "column": column,
        "kind": kind,
        "measure": "value",
        "type": "float",
        "rows": 100,
        "missing": 0,
        "nan": 0,
        "infinite": 0,
        "numbers": 100,
        "mean": 0.5,
        "std": 1.0,
        "min": -3.125,
        "max": 4.625,
        "below": 0,
        "above": 0,
        "cut_points": CUTS,
        "counts": LEVELS,
        "bins": [],
        "distinct": None,
        "is_whole": None,
        "new": None,
        "long": None,
        "with_value": None,
        "values": None,
    }
    return {**row, **fields}


def make_values_row(column: str, counts: dict[str, int], **fields: Any) -> dict[str, Any]:
    """A row of a profile, of texts."""
    rows = sum(counts.values())
    return make_row(
        column,
        **{
            "type": "string",
            "rows": rows,
            "nan": None,
            "infinite": None,
            "numbers": None,
            "mean": None,
            "std": None,
            "min": None,
            "max": None,
            "below": None,
            "above": None,
            "cut_points": None,
            "counts": None,
            "bins": None,
            "distinct": len(counts),
            "is_whole": True,
            "new": 0,
            "long": 0,
            "with_value": rows,
            "values": [{"value": value, "count": count} for value, count in counts.items()],
            **fields,
        },
    )


def by_place(*rows: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """A profile, by kind, column and measure."""
    return {(row["kind"], row["column"], row["measure"]): row for row in rows}


def tell(output: str, manifest: dict[str, Any]) -> ToldRun:
    """A run with its manifest."""
    return ToldRun(RunFolder(output, manifest["run_id"]), manifest)
