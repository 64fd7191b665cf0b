"""Ways through the code that, together, come by every step. Each begins with an output where a run is published."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
import json
import os
from pathlib import Path
import shutil

from tests.faults.conftest import Servers
from tests.faults.server import Request
from tests.faults.world import OTHER_SETTING, ROWS, read_output, write_shard

# Steps with another proof: those of a real object store, where requests are killed, broken and delayed; and those of training, which
# promises nothing of a run that broke, and is started again.
ELSEWHERE = {
    "pipelines.samples.write_held_out:files.put": "tests/pipelines/test_train.py",
    "pipelines.train._write:files.remove": "tests/pipelines/test_train.py",
    "storage.stores.discard:.discard": "tests/object_stores/test_store_files.py",
    "storage.files.link_or_copy:.cp_file": "tests/storage/test_files.py",
}
STORE = "memory://faults"
# A run that was killed long ago; its files go when the next run of its job is published, or are left for the one after that.
DEAD = "0123456789abcdef"


@dataclass(frozen=True)
class Scenario:
    """A program, and what stands when it starts.

    Attributes:
        prepare: from (folder of the scenario, servers) to the output's first state, in `folder/before`.
        arguments: of the program, given its output.
        plant: a chain, and a folder of the scenario whose content comes into the output when that is reached first.
        store: the output is a store in memory, which ends with the process: no kills, and the program runs twice.
    """

    prepare: Callable[[Path, Servers], None]
    arguments: Callable[[Path, Path], list[str]]
    program: str = "pipelines.score"
    plant: tuple[str, str] | None = None
    store: bool = False


@dataclass(frozen=True)
class Stage:
    """A scenario set up: its folder, what an undisturbed run gives, and the chains of steps that it comes by."""

    scenario: Scenario
    world: Path
    folder: Path
    servers: Servers
    chains: list[str] = field(default_factory=list)

    def run(self, output: Path, **fault: object) -> tuple[int, str]:
        """Exit status and log of the program, on an output."""
        shown = STORE if self.scenario.store else str(output)
        arguments = [shown if a == str(output) else a for a in self.scenario.arguments(self.world, output)]
        request = Request(self.scenario.program, arguments, f"{output}.log", **fault)  # type: ignore[arg-type]
        if self.scenario.plant is not None:
            request = replace(request, plant=(self.scenario.plant[0], str(self.folder / self.scenario.plant[1]), str(output)))
        if self.scenario.store:
            shutil.rmtree(output, ignore_errors=True)
            request = replace(request, again=True, kept=(STORE, str(output)))
        status = self.servers.run(request)
        return status, Path(request.log).read_text()

    def begin(self, name: str) -> Path:
        """A new output in the first state."""
        output = self.folder / name / "scores"
        shutil.copytree(self.folder / "before", output, symlinks=True)
        return output


def staged(name: str, world: Path, folder: Path, servers: Servers) -> Stage:
    """Set a scenario up and run it undisturbed, into `folder/reference/scores`."""
    scenario = SCENARIOS[name]
    (folder / "before").mkdir(parents=True)
    (folder / "world").symlink_to(world)
    scenario.prepare(folder, servers)
    stage = Stage(scenario, folder / "world", folder, servers)
    output = stage.begin("reference")
    status, log = stage.run(output, record=str(folder / "chains"))
    assert status == 0, log
    stage.chains.extend(dict.fromkeys((folder / "chains").read_text().splitlines()))
    return stage


def _publish(world: Path, output: Path, servers: Servers, *flags: str, chain: str = "") -> None:
    """Publish the job with another setting, or kill it at a chain."""
    request = Request(
        "pipelines.score", _score(world, output, *flags), f"{output}.log", chain=chain, action="kill" if chain else ""
    )
    assert servers.run(request) == (-9 if chain else 0), Path(request.log).read_text()


def _score(world: Path, output: Path, *flags: str) -> list[str]:
    return ["--config", str(world / "job.yaml"), "--output", str(output), "--quiet", *flags]


def _published(folder: Path, servers: Servers) -> None:
    """A run with another setting is published."""
    before, published = folder / "before", folder / "world/published"
    if not published.exists():
        _publish(folder / "world", published, servers, *OTHER_SETTING)
    shutil.copytree(published, before, symlinks=True, dirs_exist_ok=True)


def _second_attempt(folder: Path, servers: Servers) -> None:
    """Another attempt at all units was stored and recorded meanwhile."""
    _published(folder, servers)
    other = folder / "other"
    _publish(folder / "world", other, servers, chain="transforms.publish._move_files:files.make_folder")
    (killed,) = (other / "_tmp").iterdir()
    for name in ("attempts", "done"):
        shutil.copytree(killed / name, folder / f"meanwhile/_tmp/{killed.name}/{name}")


def _leftovers(folder: Path, servers: Servers) -> None:
    """A run of the job was killed, and another publication left files in this run's folder."""
    _second_attempt(folder, servers)
    (killed,) = (folder / "other/_tmp").iterdir()
    shutil.copytree(killed, folder / f"before/_tmp/{DEAD}")
    for name in ("part-00009-0123456789ab.parquet", "rejected/part-00009-0123456789ab.parquet"):
        stray = folder / f"before/runs/{killed.name}/{name}"
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(b"stray")


def _corrected(folder: Path, servers: Servers) -> None:
    """A run with rejected rows is published, and their shard was corrected after that."""
    world = folder / "own"
    shutil.copytree(folder / "world/model", world / "model")
    shutil.copytree(folder / "world/shards", world / "shards")
    text = (folder / "world/job.yaml").read_text()
    (world / "job.yaml").write_text(text.replace(str((folder / "world").resolve()), str(world)))
    _publish(world, folder / "first", servers)
    shutil.copytree(folder / "first", folder / "before", symlinks=True, dirs_exist_ok=True)
    write_shard(world, 2, ROWS)
    (folder / "world").unlink()
    (folder / "world").symlink_to(world)


def _old_runs(folder: Path, servers: Servers) -> None:
    """Three runs are published, long ago, and one was killed."""
    world, output = folder / "world", folder / "before"
    _published(folder, servers)
    first = read_output(output)
    _publish(world, output, servers)
    _publish(world, output, servers, "--set", "postprocess.threshold=0.7")
    for manifest in output.glob("runs/*/manifest.json"):
        content = json.loads(manifest.read_text())
        assert first is not None
        year = 2001 if content["run_id"] == first.run_id else 2002
        manifest.write_text(json.dumps({**content, "published_at": f"{year}-01-01T00:00:00+00:00"}))
    for path in output.glob("runs/**/*"):
        os.utime(path, (1, 1))


def _nothing(folder: Path, servers: Servers) -> None:
    """Nothing is there."""


SCENARIOS = {
    "score": Scenario(_published, lambda world, output: [*_score(world, output), "--metrics_file", f"{output}.prom"]),
    "second_attempt": Scenario(_second_attempt, _score, plant=("transforms.write.finish_unit:files.create", "meanwhile")),
    "leftovers": Scenario(_leftovers, _score),
    "only_rejected": Scenario(_corrected, lambda world, output: [*_score(world, output), "--only_rejected", "current"]),
    "prune": Scenario(_old_runs, lambda world, output: [str(output), "--older_than_days", "1"], program="pipelines.prune"),
    "store": Scenario(_nothing, _score, store=True),
}
