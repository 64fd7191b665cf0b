"""A launcher that is stopped at any step of publishing, while a newer run is published: readers stay with the newer one, and both say so.

Killing shows what is left behind; stopping shows what is done on the word of something that was true before. Every step from the first
file that gets its final name to the last temporary one that goes is tried, found by running undisturbed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
import json
from pathlib import Path
import time

import pytest

from tests.faults.counts import full_or
from tests.faults.injector import Request
from tests.faults.programs import flags_of
from tests.faults.server import Server
from tests.faults.steps import all_steps
from tests.faults.world import (
    OTHER_SETTING,
    is_one_plain_line,
    make_world,
    read_link,
    read_output,
    read_run,
)

# The rooms' files whose steps make up publishing.
_PUBLISHING = (
    "transforms.publish",
    "transforms.output.published_files",
    "storage.current",
    "storage.stamped",
    "storage.lock._open_locked",
    "storage.lock.hold_name",
    "storage.lock._claim_name",
    "storage.layout.remove_temporary",
)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def chains(job: Path, server: Server, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every chain of publishing that ends in a call of the system's, in the order in which a run comes by them."""
    output = tmp_path_factory.mktemp("undisturbed") / "scores"
    record = output.with_name("chains")
    assert Launchers(server, job, output).run("first", record=str(record)) == (0, "")
    steps = all_steps()
    found = dict.fromkeys(record.read_text().splitlines())
    publishing = [
        chain
        for chain in found
        if chain.startswith(_PUBLISHING) and steps[chain.rpartition(" > ")[2]].primitive
    ]
    return full_or(publishing[::3], publishing)


@dataclass(frozen=True)
class Launchers:
    """Two launchers into one output, the older of which is stopped while the newer one runs."""

    server: Server
    job: Path
    output: Path

    def run(self, name: str, *flags: str, **fault: object) -> tuple[int, str]:
        """Exit status and log of one of them."""
        arguments = flags_of(self.job, self.output, *flags)
        request = Request("pipelines.score", arguments, str(self.log(name)), beam=False, **fault)  # type: ignore[arg-type]
        status = self.server.strike(request)
        return status, self.log(name).read_text()

    def log(self, name: str, sign: str = "") -> Path:
        return self.output.with_name(f"{self.output.name}-{name}.log{sign}")

    def lock(self) -> Path:
        return self.output / ".CURRENT.lock"

    def count_published(self) -> int:
        return len(list(self.output.glob("runs/*/_manifest.json")))


def wait_until(is_so: Callable[[], bool], seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def overtake(two: Launchers, chain: str, after: bool) -> None:
    """Stop a launcher at a step, publish a newer run, and let the first one go on."""
    with ThreadPoolExecutor(2) as pool:
        older = pool.submit(two.run, "older", chain=chain, after=after, action="pause")
        assert wait_until(two.log("older", ".paused").exists)
        has_led, is_locked = read_output(two.output) is not None, two.lock().exists()
        newer = pool.submit(two.run, "newer", *OTHER_SETTING)
        # Where the lock is held, it waits a moment, and takes it.
        assert newer.result() == (0, "")
        two.log("older", ".go").touch()
        status, told = older.result()
    check_readers(two.output, status, told)
    if not is_locked:
        assert status == (0 if has_led else 5), told


def check_readers(output: Path, status: int, told: str) -> None:
    """They follow the newer run; the older one stands, and its launcher said whether it ever led them."""
    leader = read_output(output)
    assert leader is not None
    assert read_link(output) == leader.run_id
    manifest = (output / "runs" / leader.run_id / "_manifest.json").read_text()
    assert json.loads(manifest)["job"]["postprocess"]["where"] == "probability > 0.4"
    (other,) = {path.name for path in (output / "runs").iterdir()} - {leader.run_id}
    assert read_run(output, other).files
    assert {path.name for path in output.iterdir()} == {"CURRENT", "_tmp", "current", "runs"}
    assert list((output / "_tmp").iterdir()) == []
    if status == 0:
        assert told == ""
        return
    assert status == 5
    assert is_one_plain_line(told), told
    assert f"{other}: is published, but readers stay with run {leader.run_id}" in told


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_stopped_at_a_step_it_does_not_lead_readers_back(
    after: bool, job: Path, chains: list[str], server: Server, tmp_path: Path
) -> None:
    assert len(chains) > 10
    print(len(chains), "steps")
    with ThreadPoolExecutor(2) as pool:
        tries = [
            (
                chain,
                pool.submit(overtake, Launchers(server, job, tmp_path / str(number)), chain, after),
            )
            for number, chain in enumerate(chains)
        ]
    wrong = [f"{chain}: {error}" for chain, end in tries if (error := end.exception()) is not None]
    assert not wrong, "\n\n".join(wrong)
