"""Killed before and after each step that changes storage, and failed there: what was published stays, and a rerun ends as if nothing was.

The steps are read from the code (`steps.py`). One that no scenario comes by fails `test_every_step_has_a_scenario`. With FULL_COUNTS each is
struck the first and the last time that a run comes by it, kills among 40 shards, errors (once, twice, and for ever) among 6.
"""

import ast
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from tests.faults.counts import full_or
from tests.faults.points import KILLED_SHARDS, ON_DISK, Fault, Stages
from tests.faults.scenarios import DEAD, ELSEWHERE, SCENARIOS, Stage
from tests.faults.server import Server
from tests.faults.steps import all_steps, steps_of
from tests.faults.world import (
    BAD,
    ROWS,
    check_every_row_once,
    is_one_plain_line,
    read_link,
    read_output,
    read_run,
)
from tests.support.repository import REPOSITORY

KILLED = -9
# What fails here is not worth the run: it warns, or leaves the matter to another time.
_FORGIVEN = (
    "pipelines.cli.metrics_file",
    "pipelines.scoring.stale_runs",
    "pipelines.runners.beam_private._remove_own",
    "storage.lock.claim_if_free",
)
# What is no word about the fault.
_TOLD_ANYWAY = ("removing: ", "warning: 1 broken shard is left out: ")
# A writer is told of what is wrong there, and a scorer, which leaves notes too, goes on.
_NOTES = "transforms.output.progress_note.ProgressNote.add:"
# Once the manifest stands, the launcher takes up what its worker could not end, so that it takes two failures to fail; and after these
# steps it finds the name standing, and does not come by again: `make_current` syncs the folders in any case.
_DONE_AGAIN = (
    "storage.current.",
    "storage.stamped.",
    "storage.lock._open_locked",
    "storage.lock.hold_name",
    "storage.lock._claim_name",
    "storage.layout.remove_temporary",
    "transforms.output.published_files.remove_strays:",
    "transforms.publish.",
)
_NAMING = (
    "transforms.publish._create_manifest:files.create",
    "storage.stamped.",
    "storage.current._link_current:",
)
_NAMED = ("disk._drop:os.unlink", "disk.sync_folder:os.open", "disk.sync_folder:os.fsync")
_NAMED_AFTER = (
    "disk.create:os.link",
    "disk.replace:os.replace",
    "disk.link:os.replace",
    ":.pipe_file",
)


@pytest.fixture(scope="module")
def stages(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    return Stages(tmp_path_factory.mktemp("stages"), server)


def test_calls_that_change_storage_are_found_wherever_they_stand() -> None:
    source = """
import os, tempfile
from storage import disk, files
class A:
    def b(self, lock):
        with files.open_synced(files.join("a", "b")) as f, open("a", "wb"), p.open("w"), fs.open(p, mode="ab"), open("a"), fs.open(p, "rb"):
            (disk.make_folders if f else disk.make_folder)(os.path.join("a"))
            return [os.unlink(p) for p in os.listxattr("a")], files.brand_new(files.read("x")), self.file.write(b""), lock.acquire()
    def c(self):
        return p.replace(q), "a".replace("b", "c"), time.replace(second=0), tempfile.mkstemp(tempfile.gettempdir()), f.close()
"""
    names = {
        room: " ".join(step.name.rpartition(":")[2] for step in steps_of(source, f"{room}.x"))
        for room in ("storage", "transforms")
    }
    assert names["transforms"] == (
        "files.open_synced open .open .open disk.make_folders os.unlink os.listxattr files.brand_new .replace tempfile.mkstemp"
    )
    assert names["storage"] == names["transforms"].replace("new .r", "new .write .r") + " .close"
    assert next(steps_of(source, "storage.x")).name == "storage.x.A.b:files.open_synced"


def test_every_step_has_a_scenario(stages: Stages) -> None:
    reached = {
        step
        for name in SCENARIOS
        for chain in stages.get(name).chains
        for step in chain.split(" > ")
    }
    assert set(all_steps()) - reached - set(ELSEWHERE) == set(), (
        "give each a scenario in scenarios.py"
    )
    assert set(ELSEWHERE) <= set(all_steps())


def test_steps_without_a_scenario_have_a_test() -> None:
    for test in set(ELSEWHERE.values()):
        path, _, name = test.partition("::")
        assert name in {
            n.name
            for n in ast.parse((REPOSITORY / "tests" / path).read_text()).body
            if isinstance(n, ast.FunctionDef)
        }, test


@pytest.mark.program
@pytest.mark.skipif(
    full_or(True, False), reason="part of make test-long: it runs tests of other folders"
)
def test_the_tests_of_steps_without_a_scenario_come_by_them() -> None:
    """In an interpreter of its own, where all is imported anew, watched."""
    tests = sorted({f"tests/{test}" for test in ELSEWHERE.values()})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.faults.reached", *tests]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert set(ELSEWHERE) - set(run.stderr.split()) == set(), run.stdout


@pytest.mark.parametrize("name", ON_DISK)
def test_nothing_changes_the_output_but_a_step(name: str, stages: Stages) -> None:
    """As the interpreter hears it, whatever way the code is written; it must have heard of the log, which is not the programs'."""
    stage = stages.get(name)
    output = stage.folder / "reference/scores"
    heard = (stage.folder / "chains.unseen").read_text().splitlines()
    assert [line.partition(",")[0] for line in heard if str(output) in line] == [
        f"open ('{output}.log'"
    ]


@pytest.mark.parametrize("name", ON_DISK)
def test_a_kill_at_a_step(name: str, stages: Stages) -> None:
    stage = stages.get(name, KILLED_SHARDS)

    def kill(number: int, fault: Fault) -> None:
        output = stage.begin(f"kill-{number}")
        status, log = stage.run(output, **asdict(fault))
        assert status == KILLED, log
        check_output(stage, output)
        check_rerun(stage, output, fault.beam)

    at_all(kill, stages.list_kills(name))


@pytest.mark.parametrize("name", ON_DISK)
def test_an_error_at_a_step(name: str, stages: Stages) -> None:
    stage = stages.get(name)

    def fail(number: int, fault: Fault) -> None:
        output = stage.begin(f"error-{number}")
        status, left = 5, fault.times
        for _ in range(max(fault.times, 1)):
            if status != 0 and left >= 0:
                status, log = stage.run(output, **{**asdict(fault), "times": left})
                hits = times_hit(output)
                assert hits or left < fault.times, log
                check_failed(stage, output, fault, hits, status, log)
                check_output(stage, output)
                left = left - hits or -1
        if status == 0:  # it is published already
            shutil.rmtree(output.parent)
        else:
            check_rerun(stage, output, fault.beam)

    at_all(fail, stages.list_errors(name))


@pytest.mark.parametrize("name", full_or(["score"], list(SCENARIOS)))
def test_slow_at_every_step(name: str, stages: Stages) -> None:
    stage = stages.get(name)
    output = stage.begin("slow")
    status, log = stage.run(output, action="slow")
    assert status == stage.scenario.status, log
    assert "Traceback" not in log
    (check_same if status == 0 else check_rerun)(stage, output)


def test_a_store_that_fails_at_a_step(stages: Stages) -> None:
    """In one process, where the program runs again after each failure, and then without one."""
    stage = stages.get("store")

    def fail(number: int, fault: Fault) -> None:
        output = stage.begin(f"fault-{number}")
        status, log = stage.run(output, **asdict(fault))
        assert times_hit(output), log
        assert status == 0, log
        ends = [line.partition(": ")[2] for line in log.splitlines() if line.startswith("ended: ")]
        lines = [f"{line}\n" for line in log.splitlines() if not line.startswith("ended: ")]
        assert ends.count("5") == len(lines) > 0 or may_end_well(fault), log
        assert all(is_one_plain_line(line) for line in lines), log
        check_same(stage, output)

    at_all(fail, stages.list_errors("store"))


def times_hit(output: Path) -> int:
    """How often the fault came; told once."""
    path = Path(f"{output}.log.hit")
    if not path.exists():
        return 0
    size = path.stat().st_size
    path.unlink()
    return size


def through_beam_in_part(faults: list[Fault]) -> list[Fault]:
    """Let those go through Beam that are the first of their kind in a module of the workers; with FULL_COUNTS all do.

    Such a fault reaches the launcher by way of Beam, or comes among Beam's threads. The launcher's own steps have no Beam around them.
    """
    first: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        if fault.chain.startswith("transforms."):
            first.setdefault(
                (fault.action, fault.chain.partition(":")[0].rpartition(".")[0]), fault
            )
    return [replace(fault, beam=full_or(fault in first.values(), True)) for fault in faults]


def at_all(strike: Callable[[int, Fault], None], faults: list[Fault]) -> None:
    """Each fault, two at a time; what went wrong is told with its fault."""
    assert faults
    assert len(set(faults)) == len(faults)
    faults = through_beam_in_part(faults)
    print(
        len(faults),
        "faults:",
        dict(Counter((fault.action, "Beam" if fault.beam else "no Beam") for fault in faults)),
    )
    with ThreadPoolExecutor(2) as pool:
        results = [
            (fault, pool.submit(strike, number, fault)) for number, fault in enumerate(faults)
        ]
    wrong = [
        f"{fault}: {error}"
        for fault, result in results
        if (error := result.exception()) is not None
    ]
    assert not wrong, "\n\n".join(wrong)


def check_failed(
    stage: Stage, output: Path, fault: Fault, hits: int, status: int, log: str
) -> None:
    """It ended with status 5 and one line, unless it can do without the step, or did it again and is published."""
    told = "".join(line for line in log.splitlines(True) if not line.startswith(_TOLD_ANYWAY))
    if status == 0:
        assert hits == 0 or may_end_well(fault), "the error was swallowed"
        assert told == "" or is_one_plain_line(told, "warning: "), log
        check_same(stage, output)
        return
    assert status == 5, log
    assert not fault.chain.startswith(_FORGIVEN)
    assert is_one_plain_line(told), log


def may_end_well(fault: Fault) -> bool:
    """Whether the run may succeed all the same."""
    if fault.times == 0 and fault.chain.startswith(_DONE_AGAIN):
        return fault.chain.startswith(_NAMING) and fault.chain.endswith(
            (*_NAMED, *(_NAMED_AFTER if fault.after else ()))
        )
    return fault.chain.startswith((*_FORGIVEN, *_DONE_AGAIN, _NOTES))


def check_output(stage: Stage, output: Path) -> None:
    """The runs that were published before stand as they did; readers see one of those, or the new one whole."""
    before = stage.folder / "before"
    if not (before / "CURRENT").exists():
        assert read_output(output) is None or read_output(output) == read_output(
            stage.folder / "reference/scores"
        )
        return
    for run in (before / "runs").iterdir():
        if (run / "_manifest.json").exists() and not is_pruned(stage, run.name):
            assert read_run(output, run.name) == read_run(before, run.name)
            assert run_program(verify.main, [str(output), "--run", run.name]) == 0
    seen = read_output(output)
    assert seen in (read_output(before), read_output(stage.folder / "reference/scores"))
    assert read_link(output) in {path.name for path in (output / "runs").iterdir()}


def is_pruned(stage: Stage, run_id: str) -> bool:
    return not (stage.folder / "reference/scores/runs" / run_id).exists()


def check_rerun(stage: Stage, output: Path, beam: bool = True) -> None:
    """The same command again ends as an undisturbed one: the same bytes, no row lost, none twice, and nothing left over."""
    status, log = stage.run(output, beam)
    if status == stage.scenario.status != 0:  # the first whole run
        status, log = stage.run(output, beam)
    assert status == 0, log
    check_same(stage, output)
    shutil.rmtree(output.parent)


def check_same(stage: Stage, output: Path) -> None:
    reference = stage.folder / "reference/scores"
    if not (reference / "CURRENT").exists():
        assert tree(output) == tree(reference)
        return
    assert read_output(output) == read_output(reference)
    assert read_link(output) == (
        None if stage.scenario.store else (output / "CURRENT").read_text().strip()
    )
    assert {name for name in tree(output) if DEAD not in name} == set(tree(reference))
    if "pipelines.score" in stage.scenario.program:
        corrected = "--reuse_from" in stage.scenario.arguments(output, output)
        check_every_row_once(output, stage.shards * ROWS, () if corrected else BAD)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below, by name; of a link to a folder only its name."""
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b""
        for p in folder.rglob("*")
    }
