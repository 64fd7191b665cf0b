"""The pipeline as a person with a slow model runs it: tuned once, and then `dtype: auto`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
import json
from pathlib import Path
import subprocess
import sys
import time

from tests.benchmarks.compare import ROOT, Contender, Figures, Shards
from tests.benchmarks.contenders import pipeline
from tests.benchmarks.engine_loops import REPORT
from tests.benchmarks.pipeline_job import write_job

LOOP_ROWS = 32  # of a batch, in all loops over slow models


def tuned_pipelines(
    shards: Shards, package: Path, keep: tuple[str, ...], tolerance: Mapping[str, float]
) -> tuple[list[Contender], Callable[[], Figures]]:
    """The pipeline with what tuning finds, in float32 in the loops' batches without, and the tuning itself.

    Args:
        tolerance: what the job declares, which is what the workload's answers are held to.
    """
    report = shards.folder / REPORT
    auto = {"model": {"dtype": "auto", "tuning_report": str(report), "tolerance": dict(tolerance)}}

    def tune() -> Figures:
        config = write_job(
            shards.folder / "tune.yaml", shards, package, shards.folder / "nothing", keep, auto
        )
        report.unlink(missing_ok=True)
        began = time.perf_counter()
        command = [sys.executable, "-m", "pipelines.tune", f"--config={config}"]
        done = subprocess.run(
            command, cwd=ROOT, stdout=sys.stderr, check=False
        )  # its table is worth seeing as it grows
        if done.returncode != 0:
            sys.exit(f"tuning failed with exit status {done.returncode}")
        tuned_to = json.loads(report.read_text())["settings"]
        tuned_to.pop("scales", None)  # of every layer
        return {"tuning seconds": round(time.perf_counter() - began, 1), "tuned to": tuned_to}

    untuned = replace(
        pipeline(shards, package, keep, {"model": {"batch_rows": LOOP_ROWS}}), name="untuned"
    )
    return [pipeline(shards, package, keep, auto), untuned], tune
