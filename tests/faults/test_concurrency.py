"""Several launchers into one output at once, of the same work and of different work, beside an earlier run, while readers look on."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
from pathlib import Path
import shutil
import threading

import pytest

from tests.faults.counts import full_or
from tests.faults.injector import Request
from tests.faults.programs import flags_of
from tests.faults.server import Server
from tests.faults.world import (
    ROWS,
    SHARDS,
    Seen,
    check_every_row_once,
    read_link,
    read_output,
    read_run,
)
from tests.support.programs import Programs

READERS = 2
SETTINGS = tuple(
    f"postprocess.where=probability > {percent / 100}"
    for percent in (0, 10, 20, 30, 40, 50, 60, 70)
)


class Reader(threading.Thread):
    """Follows CURRENT -> manifest -> files, and the link, again and again; every state that it meets must be a valid one."""

    def __init__(self, output: Path) -> None:
        super().__init__(daemon=True)
        self.output, self.ended = output, threading.Event()
        self.looks, self.runs = 0, set[str]()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.ended.wait(0.002):
                seen = read_output(self.output)
                if seen is not None:
                    self.runs.add(seen.run_id)
                read_link(self.output)
                self.looks += 1
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.error = error


@contextmanager
def read_meanwhile(output: Path) -> Iterator[list[Reader]]:
    readers = [Reader(output) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    yield readers
    for reader in readers:
        reader.ended.set()
        reader.join()
        assert reader.error is None, reader.error
        assert reader.looks > 10


@pytest.fixture(scope="module")
def undisturbed(
    world: Path, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """Files of the run of each setting, by the setting."""
    folder = tmp_path_factory.mktemp("undisturbed")
    found = {}
    for number, setting in enumerate(SETTINGS[: full_or(4, 8)]):
        output = folder / str(number)
        assert score(server, world, output, setting) == 0
        seen = read_output(output)
        assert seen is not None
        found[setting] = seen.files
    return found


def score(server: Server, world: Path, output: Path, setting: str) -> int:
    """Exit status of one launcher alone; those together go through Beam, and so does this one with FULL_COUNTS."""
    return server.strike(
        Request(
            "pipelines.score",
            flags(world, output, setting),
            f"{output}.log",
            beam=full_or(False, True),
        )
    )


def flags(world: Path, output: Path, setting: str) -> list[str]:
    return flags_of(world / "job.yaml", output, "--set", setting)


@pytest.fixture(scope="module")
def earlier(world: Path, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output with a published run of yet another setting."""
    output = tmp_path_factory.mktemp("earlier") / "scores"
    assert score(server, world, output, "model.batch_rows=16") == 0
    return output


@pytest.fixture
def output(earlier: Path, tmp_path: Path) -> Path:
    return shutil.copytree(earlier, tmp_path / "scores", symlinks=True)


@pytest.fixture(scope="module")
def before(earlier: Path) -> Seen:
    seen = read_output(earlier)
    assert seen is not None
    return seen


def launch_together(
    programs: Programs, world: Path, output: Path, settings: tuple[str, ...]
) -> list[tuple[int, str]]:
    """Exit status and stderr of launchers, each a process of its own, all of which had planned their run before any began it."""
    marks = output.parent / "marks"
    marks.mkdir()
    together = [str(marks), str(len(settings))]
    started = [
        programs.start("tests.faults.together", *together, *flags(world, output, setting))
        for setting in settings
    ]
    ends = [program.communicate()[1] for program in started]
    assert len(list(marks.iterdir())) == len(settings)
    return [(program.wait(), error) for program, error in zip(started, ends, strict=True)]


@pytest.mark.parametrize("launchers", full_or([2], [2, 8]))
@pytest.mark.parametrize("round_", range(full_or(1, 10)))
def test_launchers_of_the_same_work_publish_one_run(
    round_: int,
    launchers: int,
    world: Path,
    output: Path,
    before: Seen,
    undisturbed: dict[str, dict[str, bytes]],
    server: Server,
    programs: Programs,
) -> None:
    with read_meanwhile(output) as readers:
        ends = launch_together(programs, world, output, SETTINGS[:1] * launchers)
    assert ends == [(0, "")] * launchers
    seen = read_output(output)
    assert seen is not None
    assert seen.files == undisturbed[SETTINGS[0]]
    check_every_row_once(output, SHARDS * ROWS)
    assert {p.name for p in (output / "runs").iterdir()} == {before.run_id, seen.run_id}
    assert all(reader.runs <= {before.run_id, seen.run_id} for reader in readers)
    assert {p.name for p in (output / "runs" / seen.run_id).rglob("part-*.parquet")} == {
        Path(name).name for name in seen.files
    }
    assert list((output / "_tmp").iterdir()) == []
    assert read_run(output, before.run_id) == before
    assert score(server, world, output, SETTINGS[0]) == 0
    assert read_output(output) == seen


@pytest.mark.parametrize("launchers", full_or([4], [2, 8]))
@pytest.mark.parametrize("round_", range(full_or(1, 10)))
def test_launchers_of_different_work_publish_a_run_each(
    round_: int,
    launchers: int,
    world: Path,
    output: Path,
    before: Seen,
    undisturbed: dict[str, dict[str, bytes]],
    server: Server,
    programs: Programs,
) -> None:
    with read_meanwhile(output):
        ends = launch_together(programs, world, output, SETTINGS[:launchers])
    last = read_output(output)
    assert last is not None
    assert read_link(output) == last.run_id, "CURRENT and the link name the same run"
    for status, error in ends:
        is_superseded = "readers stay with run" in error
        assert status == (5 if is_superseded else 0), error
    assert last.run_id == latest_plan(output), "whoever ended last"
    assert last.run_id != before.run_id
    assert list((output / "_tmp").iterdir()) == []
    runs = {run.name: read_run(output, run.name) for run in (output / "runs").iterdir()}
    assert runs.pop(before.run_id) == before
    expected = {setting: undisturbed[setting] for setting in SETTINGS[:launchers]}
    assert {setting_of(output, run_id): run.files for run_id, run in runs.items()} == expected
    for setting in SETTINGS[: full_or(1, launchers)]:
        assert score(server, world, output, setting) == 0
        again = read_output(output)
        assert again is not None
        assert again == runs[again.run_id]
        assert setting_of(output, again.run_id) == setting


def latest_plan(output: Path) -> str:
    """Id of the run whose launcher began last."""
    manifests = [json.loads(path.read_text()) for path in output.glob("runs/*/_manifest.json")]
    return max(manifests, key=lambda manifest: manifest["planned_at"])["run_id"]


def setting_of(output: Path, run_id: str) -> str:
    """By which of SETTINGS a published run was made."""
    where = json.loads((output / "runs" / run_id / "_manifest.json").read_text())["job"][
        "postprocess"
    ]["where"]
    return f"postprocess.where={where}"


def test_readers_see_one_valid_run_after_the_other(
    world: Path, server: Server, output: Path
) -> None:
    """Runs of several settings, one after the other; readers look on all the time."""
    with read_meanwhile(output) as readers:
        for setting in SETTINGS[: full_or(4, 8)]:
            assert score(server, world, output, setting) == 0
    assert max(len(reader.runs) for reader in readers) > 1
    assert len(list((output / "runs").iterdir())) == 1 + full_or(4, 8)
