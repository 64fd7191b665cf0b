"""This repository's program as a contender: a job like one that a person writes, and the command that runs it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.compare import Shards


def write_job(
    config: Path,
    shards: Shards,
    package: Path,
    output: Path,
    keep: tuple[str, ...],
    sections: Mapping[str, Any],
) -> Path:
    """A job that scores shards and keeps `id` and the columns `keep`; `sections` adds fields to its sections, or sections."""
    job: dict[str, dict[str, Any]] = {
        "source": {"paths": f"{shards.path}/*.parquet", "format": "parquet", "key": "id"},
        "model": {"package": str(package), "device": "cpu"},
        "postprocess": {"keep": list(keep)},
        "sink": {"path": str(output)},
    }
    for section, fields in sections.items():
        job[section] = job.get(section, {}) | fields
    config.write_text(yaml.safe_dump({"name": "benchmark", **job}, sort_keys=False))
    return config


def score_command(
    output: Path,
    shards: Shards,
    package: Path,
    keep: tuple[str, ...],
    sections: Mapping[str, Any] | None = None,
) -> list[str]:
    """The program, as a person calls it."""
    config = write_job(output.with_suffix(".yaml"), shards, package, output, keep, sections or {})
    return ["pipelines.score", "--runner=DirectRunner", f"--config={config}"]
