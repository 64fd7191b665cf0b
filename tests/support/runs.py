"""Look at what a run of the program has left, without our code."""

import json
from pathlib import Path
from typing import Any

import pandas as pd


def current_run(output: Path) -> Path:
    """Return the folder of the current run."""
    return output / "runs" / (output / "CURRENT").read_text().strip()


def parts(output: Path) -> list[Path]:
    """Return the files of scored rows of the current run, in the order of their names."""
    return sorted((current_run(output) / "scored").iterdir())


def published(output: Path) -> dict[str, bytes]:
    """Return every file of the current run, by name, but for the manifest, which holds times."""
    run = current_run(output)
    return {
        str(p.relative_to(run)): p.read_bytes()
        for p in sorted(run.rglob("*"))
        if p.is_file() and p.name != "_manifest.json"
    }


def manifest(output: Path) -> dict[str, Any]:
    """Return the manifest of the current run."""
    return json.loads((current_run(output) / "_manifest.json").read_text())


def table(output: Path) -> pd.DataFrame:
    """Return the scored rows of the current run, in the order of their `id`."""
    return shards(output / "current")


def shards(folder: Path) -> pd.DataFrame:
    """Return the rows of all Parquet files in a folder, in the order of their `id`."""
    return pd.concat([pd.read_parquet(p) for p in sorted(folder.glob("*.parquet"))]).sort_values(
        "id", ignore_index=True
    )
