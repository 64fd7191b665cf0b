"""Disks that are full, read-only, of two devices, or no folder at all; names that are too long; few file handles.

A full disk is a real one: a small tmpfs, mounted in a namespace of the test's own (`small_disk.py`).
"""

import hashlib
import json
from pathlib import Path
import shutil
import subprocess

import pyarrow.parquet as pq
import pytest

from pipelines import score, verify
from pipelines.cli.command_line import run_program
from tests.faults.counts import full_or
from tests.faults.programs import flags_of
from tests.faults.world import (
    OTHER_SETTING,
    SHARDS,
    check_every_row_once,
    is_one_plain_line,
    make_world,
    read_output,
    read_run,
)
from tests.support.programs import Programs

ROWS = 4_000


@pytest.fixture(scope="module")
def mounts() -> None:
    """Skip what needs to mount something, where that is not allowed."""
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(command, capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("a tmpfs cannot be mounted in a namespace here (unshare -rm)")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job with some hundred kilobytes of output, in a hundred files; with FULL_COUNTS in eight hundred."""
    return make_world(
        tmp_path_factory.mktemp("disk"), rows=ROWS, bad=(), rows_per_file=full_or(250, 30)
    )


@pytest.fixture(scope="module")
def earlier(job: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output with a published run of another setting."""
    output = tmp_path_factory.mktemp("earlier") / "scores"
    assert score_here(job, output, *OTHER_SETTING) == 0
    return output


@pytest.fixture(scope="module")
def undisturbed(job: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    output = tmp_path_factory.mktemp("undisturbed") / "scores"
    assert score_here(job, output) == 0
    return digests(output)


def score_here(job: Path, output: Path, *arguments: str) -> int:
    return run_program(score.main, flags_of(job, output, *arguments))


def digests(output: Path) -> dict[str, str]:
    seen = read_output(output)
    assert seen is not None
    return {name: hashlib.sha256(content).hexdigest() for name, content in seen.files.items()}


@pytest.mark.usefixtures("mounts")
def test_a_full_disk_at_any_level(
    job: Path, earlier: Path, undisturbed: dict[str, str], programs: Programs, tmp_path: Path
) -> None:
    """From a tenth of what is needed up to nearly all of it, and full from the moment on when the run is published."""
    before = digests(earlier)
    trial = shutil.copytree(earlier, tmp_path / "trial", symlinks=True)
    need = size_of_a_run(job, trial) - size(earlier)
    levels = [
        *map(str, full_or([10, 60, 95], [10, 20, 30, 40, 50, 60, 70, 80, 90, 95])),
        "publishing",
    ]
    done = programs.run("tests.faults.small_disk", str(job), str(earlier), str(need), *levels)
    assert done.returncode == 0, done.stderr
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    errors = [line for line in done.stderr.splitlines() if not line.startswith("level: ")]
    assert len(seen) == len(levels)
    for level in seen:
        assert level["status"] == 5, done.stderr
        assert level["then"] == before
        assert (level["again"], level["end"], level["left"]) == (0, undisturbed, 0)
    assert len(errors) == len(levels)
    assert all(
        line.startswith("error: ") and "No space left on device" in line for line in errors
    ), errors


def size(folder: Path) -> int:
    """Bytes that a disk needs for a folder: whole pages, and one for each name."""
    return sum(-(-p.lstat().st_size // 4096) * 4096 for p in folder.rglob("*"))


def size_of_a_run(job: Path, output: Path) -> int:
    """The largest size of the output while the job is scored: done-records and attempts stand beside published files for a moment."""
    assert score_here(job, output) == 0
    return size(output)


def check_refused(run: subprocess.CompletedProcess[str], why: str) -> None:
    assert run.returncode == 5, run.stderr
    assert is_one_plain_line(run.stderr)
    assert why in run.stderr


def check_mended(job: Path, output: Path, undisturbed: dict[str, str]) -> None:
    assert score_here(job, output) == 0
    assert digests(output) == undisturbed
    check_every_row_once(output, SHARDS * ROWS, ())
    assert run_program(verify.main, [str(output)]) == 0


@pytest.mark.usefixtures("mounts")
def test_runs_on_another_device_than_attempts_are_refused(
    job: Path, earlier: Path, undisturbed: dict[str, str], programs: Programs, tmp_path: Path
) -> None:
    """A file could not get its final name in one move there."""
    output = shutil.copytree(earlier, tmp_path / "scores", symlinks=True)
    run = programs.run(
        "tests.faults.confined", "runs_elsewhere", str(output), *flags_of(job, output)
    )
    check_refused(run, "are on different file systems")
    assert digests(output) == digests(earlier)
    check_mended(job, output, undisturbed)


@pytest.mark.usefixtures("mounts")
def test_an_output_that_is_mounted_read_only(
    job: Path, earlier: Path, undisturbed: dict[str, str], programs: Programs, tmp_path: Path
) -> None:
    output = shutil.copytree(earlier, tmp_path / "scores", symlinks=True)
    run = programs.run("tests.faults.confined", "read_only", str(output), *flags_of(job, output))
    check_refused(run, "Read-only file system")
    assert digests(output) == digests(earlier)
    check_mended(job, output, undisturbed)


@pytest.mark.slow
def test_an_output_that_is_a_file(
    job: Path,
    earlier: Path,
    undisturbed: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of the earlier run's output."""
    output = shutil.copytree(earlier, tmp_path / "scores", symlinks=True)
    for file in (output / "CURRENT", next(output.glob("runs/*/scored/*"))):
        assert score_here(job, file) == 5
        assert is_one_plain_line(capsys.readouterr().err)
    assert tree(output) == tree(earlier)
    check_mended(job, output, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x" * 300, "/".join(["y" * 200] * 25)], ids=["name", "path"])
def test_an_output_whose_path_is_too_long(
    name: str,
    job: Path,
    earlier: Path,
    undisturbed: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Below the earlier run's output."""
    output = shutil.copytree(earlier, tmp_path / "scores", symlinks=True)
    assert score_here(job, output / name) == 5
    error = capsys.readouterr().err
    assert is_one_plain_line(error)
    assert "File name too long" in error
    assert tree(output) == tree(earlier)
    check_mended(job, output, undisturbed)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every name below a folder, with the content of files."""
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
    }


FEW_HANDLES, MANY_SHARDS, FEW_ROWS = 64, 100, 10


@pytest.fixture(scope="module")
def many_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job with more shards than there are file handles, as Parquet and as CSV."""
    job = make_world(tmp_path_factory.mktemp("many"), MANY_SHARDS, FEW_ROWS, ())
    (job.parent / "csv").mkdir()
    for path in (job.parent / "shards").iterdir():
        pq.read_table(path).to_pandas().to_csv(job.parent / f"csv/{path.stem}.csv", index=False)
    return job


BOTH_WAYS = [("parquet", "csv"), ("csv", "parquet"), ("parquet", "parquet"), ("csv", "csv")]


@pytest.mark.parametrize("is_together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(("source", "sink"), full_or(BOTH_WAYS[:1], BOTH_WAYS))
def test_few_file_handles(
    source: str,
    sink: str,
    is_together: bool,
    many_shards: Path,
    programs: Programs,
    tmp_path: Path,
) -> None:
    """A handle that stays open for each shard or file would not go unseen, nor for each shard of a unit."""
    shards = many_shards.parent / ("shards" if source == "parquet" else source)
    flags = ["--set", f"source.format={source}", "--set", f"sink.format={sink}"]
    if source == "csv":
        flags += ["--set", "source.types.id=int64"]
    # Small shards share files; of so few rows, there are as many files as shards again.
    rows_per_file = MANY_SHARDS * FEW_ROWS if is_together else FEW_ROWS
    flags += ["--set", f"sink.rows_per_file={rows_per_file}"]
    whole = [*flags, "--input", str(shards)]
    output = tmp_path / "scores"
    assert (
        score_here(many_shards, output, *flags, "--input", str(shards / f"part-00000.{source}"))
        == 0
    )
    before = read_output(output)
    assert before is not None
    run = programs.run(
        "tests.faults.confined",
        str(FEW_HANDLES),
        str(output),
        *flags_of(many_shards, output, *whole),
    )
    assert (run.returncode, run.stderr) == (0, "")
    seen = read_output(output)
    assert seen is not None
    if is_together:
        assert len(seen.files) < MANY_SHARDS
    else:
        assert len(seen.files) == MANY_SHARDS
        # Names tell the unit, which may have several files here.
        assert set(before.files.values()) < set(seen.files.values())
    assert read_run(output, before.run_id) == before
    assert score_here(many_shards, tmp_path / "undisturbed", *whole) == 0
    assert digests(output) == digests(tmp_path / "undisturbed")
    if sink == "parquet":
        check_every_row_once(output, MANY_SHARDS * FEW_ROWS, ())
    assert run_program(verify.main, [str(output)]) == 0
