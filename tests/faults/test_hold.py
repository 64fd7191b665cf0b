"""Killed at each step of holding a run back, and of discarding it: the same command ends it, and readers keep what they had."""

from pathlib import Path
import shutil

import pytest

from tests.faults.counts import full_or
from tests.faults.injector import Request
from tests.faults.scenarios import publish_few, score_many
from tests.faults.server import Server
from tests.faults.world import read_link, read_output

KILLED = -9
# Where a run is compared, and where it is held back instead of being published.
OF_HOLDING = (
    "pipelines.planning.plan._freeze_reference:",
    "transforms.output.published_monitor.",
    "transforms.publish._create_held:",
    "storage.layout.remove_temporary:",
)


def score(world: Path, output: Path, server: Server, **fault: object) -> tuple[int, str]:
    request = Request("pipelines.score", score_many(world, output), f"{output}.log", False, **fault)  # type: ignore[arg-type]
    status = server.strike(request)
    return status, Path(request.log).read_text()


def list_names(output: Path) -> set[str]:
    return {str(path.relative_to(output)) for path in output.rglob("*")}


@pytest.mark.program
def test_a_kill_while_a_run_is_held_back(world: Path, server: Server, tmp_path: Path) -> None:
    publish_few(world, tmp_path / "before", server)
    before = read_output(tmp_path / "before")
    shutil.copytree(tmp_path / "before", tmp_path / "whole", symlinks=True)
    status, told = score(world, tmp_path / "whole", server, record=str(tmp_path / "chains"))
    assert status == 6, told
    chains = dict.fromkeys((tmp_path / "chains").read_text().splitlines())
    struck = [chain for chain in chains if chain.startswith(OF_HOLDING)]
    assert {chain.partition(".")[0] for chain in struck} == {"pipelines", "storage", "transforms"}
    for number, chain in enumerate(full_or(struck[::3], struck)):
        output = tmp_path / f"kill-{number}"
        shutil.copytree(tmp_path / "before", output, symlinks=True)
        status, _ = score(world, output, server, chain=chain, after=True, action="kill")
        assert status == KILLED, chain
        assert read_output(output) == before
        status, again = score(world, output, server)
        assert (status, again.replace(str(output), "")) == (
            6,
            told.replace(str(tmp_path / "whole"), ""),
        ), chain
        assert list_names(output) == list_names(tmp_path / "whole"), chain
        assert read_output(output) == before
        assert read_link(output) == before.run_id if before else None
        shutil.rmtree(output)


@pytest.mark.program
def test_a_kill_while_a_held_run_is_discarded(world: Path, server: Server, tmp_path: Path) -> None:
    publish_few(world, tmp_path / "before", server)
    before = read_output(tmp_path / "before")
    assert before is not None
    assert score(world, tmp_path / "before", server)[0] == 6
    (held,) = {path.name for path in (tmp_path / "before/runs").iterdir()} - {before.run_id}

    def discard(output: Path, **fault: object) -> int:
        arguments = [str(output), held, "--reason", "a broken export", "--discard"]
        return server.strike(
            Request("pipelines.release", arguments, f"{output}.log", False, **fault)  # type: ignore[arg-type]
        )

    shutil.copytree(tmp_path / "before", tmp_path / "whole", symlinks=True)
    assert discard(tmp_path / "whole", record=str(tmp_path / "chains")) == 0
    struck = list(dict.fromkeys((tmp_path / "chains").read_text().splitlines()))
    assert any(chain.startswith("pipelines.verifying.release_run._discard:") for chain in struck)
    for number, chain in enumerate(full_or(struck[::2], struck)):
        output = tmp_path / f"kill-{number}"
        shutil.copytree(tmp_path / "before", output, symlinks=True)
        assert discard(output, chain=chain, after=True, action="kill") == KILLED, chain
        assert read_output(output) == before
        is_left = (output / "runs" / held).exists()
        # What is gone is no run that could be discarded.
        assert (discard(output) == 0) == is_left, chain
        assert list_names(output) == list_names(tmp_path / "whole"), chain
        assert read_link(output) == before.run_id
        shutil.rmtree(output)
