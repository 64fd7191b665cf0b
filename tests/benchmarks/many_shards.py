"""Plan and publish very many small shards: `python -m tests.benchmarks.many_shards --shards 1000000`.

    plan            list them, read every footer, choose units, name the run, store the plan
    find all done   read the plan, and every unit's record, as a run does that was killed before it published
    publish         the books, the files' names, the manifest, and that readers follow it
    plan again      all of the first, and that the run stands

Simulated are the scoring, of which there are only the records and a file a unit, and the store, which
lists objects that it does not have and gives each the same content, at once: all else is the program's
own. With --disk the shards are files of a folder that is made for them, and removed.

Told of each phase: seconds of the clock and of the CPU, of all threads, and the most memory that the
process held in it more than before the first phase, when it had planned and published 100 shards.
"""

import argparse
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
import hashlib
from pathlib import Path
import sys
import tempfile
import time
from typing import Any, NamedTuple, TypeVar

import fsspec
from fsspec.asyn import AsyncFileSystem

from configs.load import load
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.make_plan import make_plan
from pipelines.planning.manifest_head import manifest_head
from pipelines.planning.plan import Plan, store_plan
from storage import files
from storage.layout import is_published
from tests.benchmarks.scaling_data import TINY_ROWS, make_tiny_shards
from tests.benchmarks.scaling_run import make, write_job
from transforms.announce import Published, announce
from transforms.batches import WorkUnit, WrittenFile, WrittenPart
from transforms.output.done_record import finish_unit, is_done
from transforms.publish import publish_run
from transforms.read import units_to_read

FOLDER = "simulated://bucket/in"
_WARM_UP_SHARDS = 100
# What the scoring would have left of a unit.
_SCORED = b"simulated"
_PARTS_OF_A_SECOND = 1e6
T = TypeVar("T")


class Phase(NamedTuple):
    """What a part of the work took.

    Attributes:
        seconds, cpu_seconds: of the clock, and of the CPU, of all threads.
        peak_bytes: the most memory that was held at once more than before the first phase.
    """

    name: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int


class SimulatedStore(AsyncFileSystem):
    """Lists as many objects as it is told, all with the same content, as S3's client does."""

    # Its first name is that of its URLs; by the second one it is taken for a store.
    protocol = ("simulated", "s3")
    shards = 0
    content = b""

    def split_path(self, path: str) -> tuple[str, str, None]:
        bucket, _, key = path.partition("/")
        return bucket, key, None

    async def _iterdir(self, bucket: str, prefix: str) -> AsyncIterator[dict[str, Any]]:
        if f"simulated://{bucket}/{prefix}" == f"{FOLDER}/":
            for number in range(self.shards):
                yield self._describe(number)

    async def _info(self, path: str, **options: Any) -> dict[str, Any]:
        if self._strip_protocol(path) != self._strip_protocol(FOLDER):
            raise FileNotFoundError(path)
        return {"name": path, "size": 0, "type": "directory"}

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        return []

    # In the thread that asks, where S3's client has one of its own for all requests.
    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **options: Any
    ) -> bytes:
        return self.content[start:end]

    def _describe(self, number: int) -> dict[str, Any]:
        name = f"bucket/in/part-{number:07d}.parquet"
        size = len(self.content)
        return {
            "Key": name,
            "ETag": f'"{number:032x}"',
            "Size": size,
            "StorageClass": "STANDARD",
            "type": "file",
            "size": size,
            "name": name,
        }


@dataclass
class Measured:
    """Runs phases, keeps what they took, and tells each at once: a million shards take some minutes."""

    tell: Callable[[Phase], None]
    phases: list[Phase] = field(default_factory=list)
    before_bytes: int = field(default_factory=lambda: _read_memory("VmRSS"))

    def run(self, name: str, work: Callable[[], T]) -> T:
        """Run a part of the work, and return what it returns."""
        # From here on the highest is counted anew.
        Path("/proc/self/clear_refs").write_text("5")
        began = time.perf_counter()
        cpu_began = time.process_time()
        result = work()
        cpu_seconds = time.process_time() - cpu_began
        seconds = time.perf_counter() - began
        peak_bytes = _read_memory("VmHWM") - self.before_bytes
        phase = Phase(name, seconds, cpu_seconds, peak_bytes)
        self.phases.append(phase)
        self.tell(phase)
        return result


def plan_and_publish(
    shards: int,
    package: Path,
    folder: Path,
    on_disk: bool = False,
    tell: Callable[[Phase], None] = lambda phase: None,
) -> tuple[list[Phase], Published]:
    """Return what each phase took, and the totals that the manifest tells.

    Args:
        shards: how many.
        package: the model package, of `scaling_data.py`.
        folder: an empty one, where the plan and the manifest are written, and files on a disk.
        on_disk: whether shards are files of a disk, and not objects of the simulated store.
        tell: called with each phase as it ends.
    """
    make_tiny_shards(folder / "one", 1)
    fsspec.register_implementation("simulated", SimulatedStore, clobber=True)
    SimulatedStore.content = (folder / "one/part-000000.parquet").read_bytes()
    warm_up = _prepare(_WARM_UP_SHARDS, package, folder / "warm_up", on_disk)
    _run_phases(Measured(lambda phase: None), warm_up)
    job = _prepare(shards, package, folder / "measured", on_disk)
    measured = Measured(tell)
    published = _run_phases(measured, job)
    return measured.phases, published


def _prepare(shards: int, package: Path, folder: Path, on_disk: bool) -> ScoringJob:
    folder.mkdir()
    inputs: Path | str = FOLDER
    SimulatedStore.shards = shards
    if on_disk:
        inputs = folder / "in"
        make_tiny_shards(inputs, shards)
    config = write_job(folder / "job.yaml", inputs, package, folder / "scores")
    return load(ScoringJob, str(config))


def _run_phases(measured: Measured, job: ScoringJob) -> Published:
    plan = measured.run("plan", lambda: store_plan(make_plan(job)))
    for unit in plan.units:
        _leave_scored(plan, unit)
    measured.run("find all done", lambda: _find_all_done(plan))
    published = measured.run("publish", lambda: _publish(plan))
    measured.run("plan again", lambda: _plan_again(job))
    return published


def _find_all_done(plan: Plan) -> None:
    units = units_to_read(plan.run.plan, plan.run)
    assert all(is_done(plan.run, unit.index) for unit in units)


def _publish(plan: Plan) -> Published:
    budget = plan.job.errors
    return publish_run(
        plan.run, [], manifest_head(plan), budget.max_rejected_rows, budget.max_rejected_percent
    )


def _plan_again(job: ScoringJob) -> None:
    plan = make_plan(job)
    assert is_published(plan.run)
    announce(plan.run, plan.planned_at)


def _leave_scored(plan: Plan, unit: WorkUnit) -> None:
    """Leave what a worker would have left of a unit."""
    rows = unit.rows or 0
    name = f"{unit.index:07d}-simulated.parquet"
    digest = hashlib.sha256(_SCORED).hexdigest()
    files.put(files.join(plan.run.attempts, name), _SCORED)
    counts = [
        (number, member.rows or 0, member.rows or 0, 0, 0, 0)
        for number, member in enumerate(unit.members)
    ]
    part = WrittenPart(
        unit=unit.index,
        attempt="simulated",
        first_row=0,
        rows_in=rows,
        rows_scored=rows,
        rows_filtered=0,
        rows_rejected=0,
        last=True,
        scored=(WrittenFile(name, rows, len(_SCORED), digest),),
        rejected=(),
        shards=tuple(counts),
    )
    finish_unit(plan.run, unit, part)


def _read_memory(name: str) -> int:
    """Return a line of what Linux says of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}:")]
    _, kilobytes, _ = line.split()
    return int(kilobytes) * 1024


def _tell(shards: int, phase: Phase) -> None:
    each = phase.cpu_seconds / shards * _PARTS_OF_A_SECOND
    cells = [phase.name, f"{phase.seconds:.1f}", f"{phase.cpu_seconds:.1f}"]
    cells += [f"{each:.0f}", f"{phase.peak_bytes / 1e6:.0f}"]
    print(f"| {' | '.join(cells)} |", flush=True)


def main(argv: Sequence[str]) -> None:
    """Print a table of the phases."""
    parser = argparse.ArgumentParser("tests.benchmarks.many_shards")
    parser.add_argument("--shards", type=int, default=100_000)
    parser.add_argument("--disk", action="store_true", help="shards are files of a disk")
    parser.add_argument("--folder", type=Path, help="where folders are made, and removed")
    arguments = parser.parse_args(argv)
    shards: int = arguments.shards
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        # In a process of its own, as it imports torch, which nothing here needs.
        make("package", str(folder / "package"))
        print("| phase | seconds | CPU seconds | CPU microseconds a shard | peak MB more |")
        print("|---|---:|---:|---:|---:|", flush=True)
        tell = partial(_tell, shards)
        _, published = plan_and_publish(shards, folder / "package", folder, arguments.disk, tell)
        (manifest,) = folder.glob("measured/scores/runs/*/_manifest.json")
        size_bytes = manifest.stat().st_size
    print(f"{shards:,} shards of {TINY_ROWS} rows: {published.rows_scored:,} rows published")
    print(f"_manifest.json: {size_bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
