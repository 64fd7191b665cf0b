"""A job of 200 units that is some seconds of work: enough for something to happen in the middle of it."""

import json
from pathlib import Path
import socket

from tests.benchmarks.tabular_data import make_package, make_shards, package_folder, shards_folder
from tests.flink.cluster import Machine, wait_until
from tests.support.programs import Program

UNITS = 200
# Of the shard that breaks in a job of images.
BROKEN_ROWS = 5
_ROWS = 200_000
_BATCH_ROWS = 16  # a small batch makes a row as much work as it is to be
_MIDDLE = UNITS // 5
_SECONDS = 600


def units_job(folder: Path) -> list[str]:
    """Make the shards, the model and the job file; return the flags that name it."""
    make_shards(folder, _ROWS, UNITS)
    make_package(folder)
    config, source, package = (
        folder / "job.yaml",
        shards_folder(folder, _ROWS, UNITS),
        package_folder(folder),
    )
    config.write_text(
        f"name: units\nsource: {{paths: {source}, key: id}}\nmodel: {{package: {package}, batch_rows: {_BATCH_ROWS}}}\n"
        "postprocess: {keep: [probability]}\n"
        # As many as a shard has: smaller ones would be put together to fewer units.
        f"sink: {{path: nowhere, rows_per_file: {_ROWS // UNITS}}}\n"
    )
    return ["--config", str(config)]


def in_the_middle(launcher: Program, output: Path, machine: Machine) -> set[str]:
    """Wait until some of the units are done, some of them by this machine; return the ids of its workers."""
    workers: set[str] = set()

    def reached() -> bool:
        assert launcher.poll() is None, launcher.communicate()[1]
        records = list(output.glob("_tmp/*/done/*.json"))
        workers.update(f"{socket.gethostname()}:{worker.pid}" for worker in machine.workers())
        return len(records) >= _MIDDLE and any(
            json.loads(r.read_bytes() or b"{}").get("worker") in workers for r in records
        )

    wait_until(reached, _SECONDS, f"{_MIDDLE} units are done")
    assert not (output / "CURRENT").exists()
    return workers


def finish(launcher: Program) -> None:
    """Wait until it ends, well."""
    error = launcher.communicate(timeout=_SECONDS)[1]
    assert launcher.returncode == 0, error
