"""The metrics file at the end of a run, read back with Prometheus' own parser: however the run ended, and whatever was there before."""

from pathlib import Path
import signal
import stat
import tempfile
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
import pyarrow.parquet as pq
import pytest

from pipelines import score, train, verify
from pipelines.cli.command_line import run_program
from pipelines.cli.metrics_file import write_metrics
from pipelines.cli.run_facts import RunFacts
from tests.pipelines.json_lines import lines_of
from tests.support.programs import Programs

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(path: Path) -> Samples:
    """Every sample of the file by name and labels; fails for text that is not valid, or a sample that stands twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(path.read_bytes().decode()):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            key = (sample.name.removeprefix("batch_prediction_"), frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset({"job": "breast_cancer", **labels}.items())))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "batch_prediction.prom"


@pytest.fixture
def run(tmp_path: Path, path: Path) -> Any:
    def run(*flags: str) -> int:
        flags = (
            "--config",
            "configs/breast_cancer.yaml",
            "--output",
            str(tmp_path / "scores"),
            "--metrics_file",
            str(path),
            "--quiet",
            *flags,
        )
        return run_program(score.main, flags)

    return run


@pytest.mark.beam
def test_a_published_run_leaves_its_totals(run: Any, path: Path, tmp_path: Path) -> None:
    began = time.time()
    assert run() == 0
    found = samples(path)
    rows = sum(
        pq.read_metadata(p).num_rows for p in Path("samples/breast_cancer/shards").glob("*.parquet")
    )
    assert value(found, "exit_status") == 0
    assert began <= value(found, "last_run_timestamp_seconds") <= time.time()
    assert value(found, "last_success_timestamp_seconds") == value(
        found, "last_run_timestamp_seconds"
    )
    assert 0 < value(found, "duration_seconds") <= time.time() - began + 1
    assert {
        o: value(found, "rows", outcome=o) for o in ("in", "scored", "filtered", "rejected")
    } == {
        "in": rows,
        "scored": rows,
        "filtered": 0,
        "rejected": 0,
    }
    assert value(found, "files") == len(list((tmp_path / "scores/current").glob("part-*")))
    assert value(found, "rows_per_second") > 0
    assert all(
        value(found, "stage_seconds", stage=s) > 0
        for s in ("read", "preprocess", "model", "postprocess", "write")
    )
    assert value(found, "stage_seconds", stage="decode") == 0.0
    assert value(found, "stage_seconds", stage="wait") >= 0
    assert value(found, "peak_memory_bytes") > 1 << 20
    run_id = (tmp_path / "scores/CURRENT").read_text().strip()
    assert (
        value(
            found,
            "run_info",
            run_id=run_id,
            model="breast_cancer",
            version="1",
            runner="DirectRunner",
        )
        == 1
    )
    assert not [p for p in tmp_path.iterdir() if p not in (path, tmp_path / "scores")]


def test_the_same_work_again_is_a_success_with_the_published_rows(run: Any, path: Path) -> None:
    assert run() == 0
    first = samples(path)
    assert run() == 0
    again = samples(path)
    assert value(again, "rows", outcome="in") == value(first, "rows", outcome="in")
    assert value(again, "last_success_timestamp_seconds") > value(
        first, "last_success_timestamp_seconds"
    )
    assert not [
        name
        for name, _ in again
        if name in ("stage_seconds", "rows_per_second", "peak_memory_bytes")
    ]


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        (("--set", "nonsense=1"), 2),
        (("--no_such_flag",), 2),
        (("--log_format=xml",), 2),
        (("--input", "/nowhere"), 3),
        (("--output", "/proc/scores"), 5),
    ],
)
def test_a_run_without_scores_keeps_the_time_of_the_last_success(
    flags: tuple[str, ...], status: int, run: Any, path: Path
) -> None:
    assert run() == 0
    before = samples(path)
    assert run(*flags) == status
    after = samples(path)
    assert value(after, "exit_status") == status
    assert value(after, "last_success_timestamp_seconds") == value(
        before, "last_success_timestamp_seconds"
    )
    assert value(after, "last_run_timestamp_seconds") > value(before, "last_run_timestamp_seconds")
    assert not [name for name, _ in after if name in ("rows", "files", "stage_seconds")]


def test_a_job_that_never_succeeded_has_no_time_of_success(run: Any, path: Path) -> None:
    assert run("--input", "/nowhere") == 3
    assert value(samples(path), "exit_status") == 3
    assert value(samples(path), "last_success_timestamp_seconds") is None


def test_a_run_that_is_terminated_says_interrupted_and_leaves_its_metrics(
    programs: Programs, work: list[str], path: Path, tmp_path: Path
) -> None:
    """It gets SIGTERM as soon as it says what it will do."""
    job = [word for word in work if word != "--quiet"]
    flags = ["--log_format=json", "--output", str(tmp_path / "scores"), "--metrics_file", str(path)]
    launcher = programs.start("pipelines.score", *job, *flags)
    while not launcher.stderr.exists() or '"planned"' not in launcher.stderr.read_text():
        assert launcher.poll() is None
        time.sleep(0.01)
    launcher.send_signal(signal.SIGTERM)
    last = lines_of(launcher.communicate()[1])[-1]
    assert launcher.returncode == 143
    assert (last["event"], last["exit_status"], last["job"]) == ("interrupted", 143, "work")
    assert samples(path)[("exit_status", frozenset({("job", "work")}))] == 143


def test_a_dry_run_is_no_run(run: Any, path: Path) -> None:
    assert run("--dry_run") == 0
    assert not path.exists()


@pytest.mark.parametrize("program_main", [train.main, verify.main])
def test_programs_without_the_flag_refuse_it_and_write_nothing(
    program_main: Any, path: Path, capsys: Any
) -> None:
    assert run_program(program_main, ["somewhere", "--metrics_file", str(path)]) == 2
    assert not path.exists()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_file_that_cannot_be_written_warns_and_the_run_stays_published(
    log_format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "folder.prom"
    target.mkdir()
    flags = (
        "--output",
        str(tmp_path / "scores"),
        "--metrics_file",
        str(target),
        f"--log_format={log_format}",
    )
    assert run_program(score.main, flags) == 0
    assert (tmp_path / "scores/CURRENT").exists()
    last = capsys.readouterr().err.splitlines()[-1]
    assert str(target) in last
    if log_format == "json":
        assert lines_of(last)[0]["level"] == "warning"
    else:
        assert last.startswith("warning: ")


def test_another_jobs_success_is_not_taken_over(path: Path) -> None:
    write_metrics(str(path), RunFacts(job="one", published=True), 0, 1.0)
    write_metrics(str(path), RunFacts(job="two"), 3, 1.0)
    assert ("last_success_timestamp_seconds", frozenset({("job", "two")})) not in samples(path)


def test_a_submitted_run_is_not_yet_a_success(path: Path) -> None:
    write_metrics(str(path), RunFacts(job="one"), 0, 1.0)
    assert ("last_success_timestamp_seconds", frozenset({("job", "one")})) not in samples(path)


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"# HELP batch_prediction_exit_status not { metrics",
        b"# HELP batch_prediction_\xff\xfe",
    ],
)
def test_a_broken_file_before_is_replaced(before: bytes, path: Path) -> None:
    path.write_bytes(before)
    write_metrics(str(path), RunFacts(), 2, 1.0)
    assert samples(path)[("exit_status", frozenset({("job", "unknown")}))] == 2


@pytest.mark.parametrize("before", [b"PAR1", b"other_metric 1\n", b"# HELP", b"\n"])
def test_a_file_that_is_something_else_stays(before: bytes, path: Path) -> None:
    """A shard of the input, or which run is the current one."""
    path.write_bytes(before)
    with pytest.raises(OSError, match="no metrics file of this program, and stays; name another"):
        write_metrics(str(path), RunFacts(), 0, 1.0)
    assert path.read_bytes() == before


@settings(deadline=None, max_examples=50)  # each example writes files
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_label_value_comes_back(job: str, model: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.prom"
        write_metrics(str(path), RunFacts(job=job, info={"model": model}, published=True), 0, 1.0)
        write_metrics(str(path), RunFacts(job=job, info={"model": model}), 1, 1.0)
        found = samples(path)
    assert found[("run_info", frozenset({("job", job), ("model", model)}))] == 1
    assert ("last_success_timestamp_seconds", frozenset({("job", job)})) in found


def test_everybody_may_read_the_file(path: Path) -> None:
    """The collector is another user; storage's own mode keeps others out."""
    write_metrics(str(path), RunFacts(job="one"), 0, 1.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_only_a_published_run_that_ended_well_is_a_success(path: Path) -> None:
    name = ("last_success_timestamp_seconds", frozenset({("job", "one")}))
    write_metrics(str(path), RunFacts(job="one", published=True), 1, 1.0)
    assert name not in samples(path)
    write_metrics(str(path), RunFacts(job="one", published=True), 0, 1.0)
    assert name in samples(path)
