"""Which runs are removed, and that the current one never is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
import json
import os
from pathlib import Path
import shutil

import pytest

from pipelines import prune, score, verify
from pipelines.cli.command_line import run_program
from storage import files
from storage.lock import hold
from storage.run_folder import RunFolder
from tests.support.repository import REPOSITORY
from tests.support.without_beam import run_without_beam

Score = Callable[..., int]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output with four runs, published a hundred, fifty, forty and two days ago; current is the one of fifty days ago."""
    scores = tmp_path_factory.mktemp("prune") / "scores"
    sample, runs = REPOSITORY / "samples/breast_cancer", []
    job = [
        "--config",
        str(REPOSITORY / "configs/breast_cancer.yaml"),
        "--input",
        str(sample / "shards"),
        "--model",
        str(sample / "model"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        run_without_beam(patch)
        for threshold in (0.1, 0.2, 0.3, 0.4, 0.2):
            flags = [
                *job,
                "--output",
                str(scores),
                "--quiet",
                "--set",
                f"postprocess.threshold={threshold}",
            ]
            assert run_program(score.main, flags) == 0
            runs.append((scores / "CURRENT").read_text().strip())
    for run, days in zip(runs, (100, 50, 40, 2), strict=False):
        publish_earlier(scores / "runs" / run, days, str(days))
    return scores


@pytest.fixture
def output(scored: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return shutil.copytree(scored, tmp_path / "scores", symlinks=True)


def publish_earlier(run: Path, days: int, name: str) -> None:
    """Let the run have been published so many days ago, and leave a mark by which the test knows it."""
    manifest = json.loads((run / "_manifest.json").read_text())
    manifest["published_at"] = (datetime.now(UTC) - timedelta(days=days)).isoformat(
        timespec="seconds"
    )
    (run / "_manifest.json").write_text(json.dumps(manifest))
    (run / f"days-{name}").touch()


def standing(output: Path) -> set[str]:
    return {mark.name.removeprefix("days-") for mark in output.glob("runs/*/days-*")}


def pruned(output: Path, days: int, *flags: str) -> int:
    return run_program(prune.main, [str(output), "--older_than_days", str(days), *flags])


@pytest.mark.parametrize(
    ("days", "left"),
    [
        (30, {"50", "2"}),
        (45, {"50", "40", "2"}),
        (99, {"50", "40", "2"}),
        (101, {"100", "50", "40", "2"}),
        (1, {"50", "2"}),
    ],
)
def test_old_runs_go_but_for_the_current_and_the_last_one(
    days: int, left: set[str], output: Path
) -> None:
    current = (output / "CURRENT").read_text()
    assert pruned(output, days) == 0
    assert standing(output) == left
    assert (output / "CURRENT").read_text() == current
    assert run_program(verify.main, [str(output)]) == 0


def test_a_dry_run_removes_nothing_and_says_what_would_go(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pruned(output, 30, "--dry_run") == 0
    assert standing(output) == {"100", "50", "40", "2"}
    assert capsys.readouterr().out.count("would remove") == 2


def test_a_removed_run_is_scored_again_when_its_work_comes_again(
    output: Path, run_score: Score
) -> None:
    assert pruned(output, 30) == 0
    assert run_score("--set", "postprocess.threshold=0.1") == 0
    assert run_program(verify.main, [str(output)]) == 0


def test_outputs_by_date_are_gone_through(output: Path, tmp_path: Path) -> None:
    (tmp_path / "by_date").mkdir()
    output.rename(tmp_path / "by_date/dt=2026-01-31")
    assert pruned(tmp_path / "by_date", 30) == 0
    assert standing(tmp_path / "by_date/dt=2026-01-31") == {"50", "2"}


def test_what_an_abandoned_run_left_goes_at_the_same_age(output: Path) -> None:
    for name, days in (("old", 31), ("young", 29)):
        file = output / "_tmp" / name / "done/0000000.json"
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, ((datetime.now(UTC) - timedelta(days=days)).timestamp(),) * 2)
    assert pruned(output, 30) == 0
    assert [p.name for p in (output / "_tmp").iterdir()] == ["young"]


def test_the_files_of_a_run_that_a_launcher_is_working_on_stay_however_old(output: Path) -> None:
    run = RunFolder(str(output), "unfinished")
    with hold(run, "job"):
        os.utime(run.lock, (0, 0))
        assert pruned(output, 30) == 0
        assert Path(run.lock).exists()
    assert pruned(output, 30) == 0
    assert not Path(run.temporary).exists()


def test_a_run_half_removed_goes_too(output: Path) -> None:
    (run,) = {mark.parent for mark in output.glob("runs/*/days-40")}
    (run / "_manifest.json").unlink()
    for file in run.rglob("*"):
        os.utime(file, (0, 0))
    assert pruned(output, 45) == 0
    assert standing(output) == {"50", "2"}


def half_published(output: Path) -> RunFolder:
    """The run of two days ago as it was when its publication was killed: parts named, no manifest, its temporary files all old."""
    (folder,) = {mark.parent for mark in output.glob("runs/*/days-2")}
    run = RunFolder(str(output), folder.name)
    (folder / "_manifest.json").unlink()
    Path(run.done).mkdir(parents=True)
    Path(run.done_record(0)).touch()
    for file in (*folder.rglob("*"), *Path(run.temporary).rglob("*")):
        os.utime(file, (0, 0))
    return run


def test_a_run_that_is_being_published_stays_whole_however_old_its_parts(output: Path) -> None:
    run = half_published(output)
    before = sorted(Path(run.published).rglob("*"))
    with hold(run, "job"):
        assert pruned(output, 1) == 0
    assert sorted(Path(run.published).rglob("*")) == before
    assert Path(run.done_record(0)).exists()


def test_a_killed_publication_goes_with_its_temporary_files_or_not_at_all(output: Path) -> None:
    run = half_published(output)
    Path(run.done_record(0)).touch()
    assert pruned(output, 1) == 0
    assert standing(output) == {"50", "40", "2"}
    os.utime(run.done_record(0), (0, 0))
    assert pruned(output, 1) == 0
    assert not Path(run.published).exists()
    assert not Path(run.temporary).exists()


def test_a_killed_publication_is_not_the_way_back(output: Path) -> None:
    half_published(output)
    assert pruned(output, 1) == 0
    assert standing(output) == {"50", "40"}


def test_an_output_whose_current_manifest_is_missing_is_left_alone(output: Path) -> None:
    (output / "current/../_manifest.json").unlink()
    assert pruned(output, 1) == 3
    assert standing(output) == {"100", "50", "40", "2"}


@pytest.mark.parametrize(
    ("flags", "words"), [(("--older_than_days", "0"), "must be"), ((), "--older_than_days")]
)
def test_an_age_below_a_day_is_refused(
    flags: tuple[str, ...], words: str, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program(prune.main, [str(output), *flags]) == 2
    assert words in capsys.readouterr().err


def test_a_folder_without_runs_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pruned(tmp_path, 30) == 2
    assert "holds no runs" in capsys.readouterr().err


def test_a_run_as_old_as_the_limit_to_the_second_stays(output: Path) -> None:
    """Older is what was published, or last written to, before the limit."""
    (mark,) = output.glob("runs/*/days-100")
    manifest = json.loads((mark.parent / "_manifest.json").read_text())
    at = datetime.fromisoformat(manifest["published_at"])
    assert prune.find_superseded(str(output), at) == []
    later = at + timedelta(seconds=1)
    assert [run.run_id for run in prune.find_superseded(str(output), later)] == [mark.parent.name]


def test_files_as_old_as_the_limit_to_the_second_stay(tmp_path: Path) -> None:
    file = tmp_path / "_tmp/dead/done/0.json"
    file.parent.mkdir(parents=True)
    file.touch()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    os.utime(file, (at.timestamp(),) * 2)
    assert list(prune.find_abandoned(str(tmp_path), at)) == []
    later = at + timedelta(seconds=1)
    assert [run.run_id for run in prune.find_abandoned(str(tmp_path), later)] == ["dead"]


@pytest.mark.parametrize("below", ["runs", "_tmp"])
def test_a_folder_with_finished_or_unfinished_runs_alone_is_an_output(
    below: str, tmp_path: Path
) -> None:
    (tmp_path / below).mkdir()
    assert pruned(tmp_path, 30) == 0


def test_what_an_abandoned_run_left_on_a_store_goes_by_its_age_alone() -> None:
    """A store has no locks that would tell whether its launcher lives."""
    for url in ("_tmp/dead/done/0.json", "runs/dead/part-0.parquet"):
        files.put(f"memory://prune_store/{url}", b"x")
    run = RunFolder("memory://prune_store", "dead")
    prune._remove_abandoned(run, dry_run=True)
    assert files.exists(run.temporary)
    prune._remove_abandoned(run, dry_run=False)
    assert not files.exists(run.temporary)
    assert not files.exists(run.published)


@pytest.mark.parametrize(
    ("error", "why"),
    [(PermissionError(13, "Permission denied"), "Permission denied"), (OSError("odd"), "odd")],
)
def test_what_cannot_be_removed_is_told_with_the_reason(
    error: OSError,
    why: str,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(url: str) -> None:
        raise error

    monkeypatch.setattr(prune.files, "remove", fail)
    assert pruned(output, 30) == 5
    assert f": cannot be removed: {why}; mend the folder and run again" in capsys.readouterr().err


@pytest.mark.parametrize("days", [10**6, 10**12])
def test_nothing_is_older_than_all_time(days: int) -> None:
    assert prune._find_end(days) == datetime.min.replace(tzinfo=UTC)
