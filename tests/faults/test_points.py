"""Killed before and after each step that changes storage, and failed there: what was published stays, and a rerun ends as if nothing was.

The steps are read from the code (`steps.py`). One that no scenario comes by fails `test_every_step_has_a_scenario`.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import shutil

import pytest

from pipelines import verify
from pipelines.command_line import run_program
from tests.faults.conftest import Servers
from tests.faults.counts import full_or
from tests.faults.scenarios import DEAD, ELSEWHERE, SCENARIOS, Stage, staged
from tests.faults.steps import all_steps, steps_of
from tests.faults.world import ROWS, SHARDS, check_every_row_once, is_one_plain_line, read_link, read_output, read_run

KILLED = -9
# What fails here is not worth the run: it warns, or leaves the matter to another time.
_FORGIVEN = ("pipelines.metrics_file", "pipelines.leftovers", "storage.lock.found_free")
GetStage = Callable[[str], Stage]


@pytest.fixture(scope="module")
def get_stage(world: Path, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> GetStage:
    stages: dict[str, Stage] = {}

    def get(name: str) -> Stage:
        if name not in stages:
            stages[name] = staged(name, world, tmp_path_factory.mktemp(name), servers)
        return stages[name]

    return get


def chains_of(get_stage: GetStage, name: str) -> list[str]:
    """The chains of a scenario at which there is a fault, but for those of the scenarios before it."""
    before = list(SCENARIOS)[: list(SCENARIOS).index(name)]
    known = {chain for other in before for chain in get_stage(other).chains}
    return chosen([chain for chain in get_stage(name).chains if chain not in known])


def test_calls_that_change_storage_are_found_wherever_they_stand() -> None:
    source = """
class A:
    def b(self):
        with files.open_synced(files.join("a", "b")) as f:
            (disk.make_folders if f else disk.make_folder)(os.path.join("a"))
            return [os.unlink(p) for p in os.listdir("a")], files.brand_new(files.read("x")), self.file.write(b"")
"""
    names = [step.name for step in steps_of(source, "storage.x")]
    assert names == [f"storage.x.A.b:{call}" for call in (
        "files.open_synced", "disk.make_folders", "os.unlink", "os.listdir", "files.brand_new", ".write"
    )]  # fmt: skip


def test_every_step_has_a_scenario(get_stage: GetStage) -> None:
    reached = {step for name in SCENARIOS for chain in get_stage(name).chains for step in chain.split(" > ")}
    assert set(all_steps()) - reached - set(ELSEWHERE) == set(), "give each a scenario in scenarios.py"
    assert set(ELSEWHERE) <= set(all_steps())


@pytest.mark.parametrize("name", [name for name in SCENARIOS if not SCENARIOS[name].store])
def test_a_fault_at_a_step(name: str, get_stage: GetStage) -> None:
    stage = get_stage(name)

    def strike(number: int, chain: str, after: bool, action: str) -> None:
        output = stage.begin(f"fault-{number}")
        status, log = stage.run(output, chain=chain, after=after, action=action, lasting=number % 3 == 0)
        assert Path(f"{output}.log.hit").exists(), log
        if action == "kill":
            assert status == KILLED, log
        else:
            check_failed(stage, output, chain, status, log)
        check_output(stage, output)
        check_rerun(stage, output)

    at_all(strike, faults(chains_of(get_stage, name)))


@pytest.mark.parametrize("name", full_or(["score"], list(SCENARIOS)))
def test_slow_at_every_step(name: str, get_stage: GetStage) -> None:
    stage = get_stage(name)
    output = stage.begin("slow")
    status, log = stage.run(output, action="slow")
    assert (status, is_plain(log)) == (0, True), log
    check_same(stage, output)


def test_a_store_that_fails_at_a_step(get_stage: GetStage) -> None:
    """In one process, where the program runs again after the fault."""
    stage = get_stage("store")

    def fail(number: int, chain: str, after: bool, action: str) -> None:
        output = stage.begin(f"fault-{number}")
        status, log = stage.run(output, chain=chain, after=after, action="raise")
        assert Path(f"{output}.log.hit").exists(), log
        assert status == 0
        assert log == "first: 0\n" or is_one_plain_line(log.removesuffix("first: 5\n")), log
        check_same(stage, output)

    at_all(fail, faults(chains_of(get_stage, "store"))[:: full_or(2, 1)])


def faults(chains: list[str]) -> list[tuple[str, bool, str]]:
    """Chain, after, action: a kill after each, and an error at some; with FULL_COUNTS both, before and after each."""
    kinds = [(after, action) for after in (False, True) for action in ("kill", "raise")]
    short = [(chain, False, "short") for chain in chains if chain.endswith(":.write")]
    if full_or(False, True):
        return [*((chain, *kind) for chain in chains for kind in kinds), *short]
    errors = [(chain, number % 2 == 0, "raise") for number, chain in enumerate(chains[::6])]
    return [*((chain, True, "kill") for chain in chains), *errors, *short[:2]]


def chosen(chains: list[str]) -> list[str]:
    """The chains that end in a call of the operating system's or of a store's; without FULL_COUNTS, enough to come by each and each caller."""
    steps = all_steps()
    ends = [chain for chain in chains if steps[chain.rpartition(" > ")[2]].primitive]
    seen: set[str] = set()
    few = []
    for chain in ends:
        named = {chain.partition(" > ")[0], chain.rpartition(" > ")[2]}
        if not named <= seen:
            few.append(chain)
        seen |= named
    return full_or(few, ends)


def at_all(fault: Callable[..., None], places: list[tuple[object, ...]]) -> None:
    """The fault at each place, as many at a time as there are servers; what failed is told with its place."""
    assert places
    with ThreadPoolExecutor(2) as pool:
        results = [(place, pool.submit(fault, number, *place)) for number, place in enumerate(places)]
    wrong = [f"{place}: {error}" for place, result in results if (error := result.exception()) is not None]
    assert not wrong, "\n\n".join(wrong)


def check_failed(stage: Stage, output: Path, chain: str, status: int, log: str) -> None:
    """It ended with status 5 and one line, unless it could do without the step, or did it again and is published."""
    if status == 0:
        assert log == "" or is_one_plain_line(log, "warning: "), log
        check_same(stage, output)
        return
    assert status == 5, log
    assert not chain.startswith(_FORGIVEN)
    assert is_one_plain_line("".join(line for line in log.splitlines(True) if not line.startswith("removing: "))), log


def check_output(stage: Stage, output: Path) -> None:
    """The runs that were published before stand as they did; readers see one of those, or the new one whole."""
    before = stage.folder / "before"
    if not (before / "CURRENT").exists():
        assert read_output(output) is None or read_output(output) == read_output(stage.folder / "reference/scores")
        return
    for run in (before / "runs").iterdir():
        if (run / "manifest.json").exists() and not is_pruned(stage, run.name):
            assert read_run(output, run.name) == read_run(before, run.name)
            assert run_program(verify.main, [str(output), "--run", run.name]) in (0, 3 if read_link(output) != run.name else 0)
    seen = read_output(output)
    assert seen in (read_output(before), read_output(stage.folder / "reference/scores"))
    assert read_link(output) in {path.name for path in (output / "runs").iterdir()}


def is_pruned(stage: Stage, run_id: str) -> bool:
    return not (stage.folder / "reference/scores/runs" / run_id).exists()


def check_rerun(stage: Stage, output: Path) -> None:
    """The same command again ends as an undisturbed one: the same bytes, no row lost, none twice, and nothing left over."""
    status, log = stage.run(output)
    assert status == 0, log
    check_same(stage, output)
    shutil.rmtree(output.parent)


def check_same(stage: Stage, output: Path) -> None:
    reference = stage.folder / "reference/scores"
    if not (reference / "CURRENT").exists():
        assert tree(output) == tree(reference)
        return
    assert read_output(output) == read_output(reference)
    assert read_link(output) == (None if stage.scenario.store else (output / "CURRENT").read_text().strip())
    assert {name for name in tree(output) if DEAD not in name} == set(tree(reference))
    if "pipelines.score" in stage.scenario.program:
        check_every_row_once(
            output, SHARDS * ROWS, () if "--only_rejected" in stage.scenario.arguments(output, output) else (85, 90)
        )


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below, by name; of a link to a folder only its name."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


def is_plain(log: str) -> bool:
    return log == "" or log.startswith("first: 0\n") or "Traceback" not in log
