"""What is computed beside the scores: the profile of a run, against pandas and numpy, and what it leaves unchanged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.runs import current_run, manifest, published, shards, table

Score = Callable[..., int]
PROFILE = ("--set", "monitor.summaries=[profile]")
SAMPLE = Path("samples/breast_cancer")
Rows = dict[tuple[str, str, str], dict[str, Any]]


def read_profile(output: Path) -> Rows:
    """The merged profile, by kind, column and measure."""
    (path,) = current_run(output).glob("_summaries/profile-*.parquet")
    rows = pq.read_table(path).to_pylist()
    return {(row["kind"], row["column"], row["measure"]): row for row in rows}


def without_summaries(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if not name.startswith("_summaries/")}


@pytest.mark.beam
def test_the_profile_of_the_sample_is_that_of_pandas(run_score: Score, tmp_path: Path) -> None:
    assert run_score(*PROFILE, "--set", "monitor.columns={id: {}}") == 0
    found = read_profile(tmp_path / "scores")
    rows = shards(SAMPLE / "shards")
    training = pd.read_parquet(SAMPLE / "model/profile.parquet").set_index("column")
    features = [name for name in rows.columns if name != "id"]
    assert list(found) == [
        *(("input", name, "value") for name in [*features, "id"]),
        ("score", "probability", "value"),
        ("score", "label", "value"),
        ("score", "label", "length"),
    ]
    for name in features:
        row, column = found["input", name, "value"], rows[name]
        assert (row["rows"], row["missing"], row["nan"]) == (len(rows), 0, 0)
        assert (row["min"], row["max"]) == (column.min(), column.max())
        assert row["mean"] == pytest.approx(column.mean(), rel=1e-12)
        assert row["std"] == pytest.approx(column.std(ddof=0), rel=1e-12)
        known = training.loc[name]
        ends = [-np.inf, *known["quantiles"], np.inf]
        assert row["counts"] == np.histogram(column, ends)[0].tolist()
        assert row["below"] == (column < known["min"]).sum()
        assert row["above"] == (column > known["max"]).sum()
    scores = table(tmp_path / "scores")
    labels = found["score", "label", "value"]
    shares = {value["value"]: value["count"] for value in labels["values"]}
    assert shares == scores["label"].value_counts().to_dict()
    assert labels["new"] == 0
    probability = found["score", "probability", "value"]
    assert probability["mean"] == pytest.approx(scores["probability"].mean(), rel=1e-6)
    assert sum(probability["counts"]) == len(rows)
    # Training knows nothing of the key: it is counted by first bits.
    assert found["input", "id", "value"]["cut_points"] is None
    assert sum(row["count"] for row in found["input", "id", "value"]["bins"]) == len(rows)
    assert run_program(verify.main, [str(tmp_path / "scores")]) == 0


def test_a_run_without_summaries_is_what_it_was(run_score: Score, tmp_path: Path) -> None:
    assert run_score(output=tmp_path / "plain") == 0
    assert run_score(*PROFILE) == 0
    plain, profiled = published(tmp_path / "plain"), published(tmp_path / "scores")
    assert without_summaries(profiled) == plain
    assert len(profiled) == len(plain) + 5
    told = manifest(tmp_path / "plain")
    assert not [name for name in told if name.startswith("summar")]
    assert told["run_id"] != manifest(tmp_path / "scores")["run_id"]


@pytest.fixture
def large_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of a hundred rows are large ones, of which some are counted."""
    monkeypatch.setattr("transforms.summaries.profile.MOST_WHOLE_ROWS", 32)


@pytest.mark.beam
@pytest.mark.usefixtures("large_units")
@pytest.mark.parametrize(
    "mode", ["in_memory", pytest.param("multi_threading", marks=pytest.mark.slow)]
)
def test_the_number_of_workers_changes_no_byte(mode: str, run_score: Score, tmp_path: Path) -> None:
    flags = [f"--direct_running_mode={mode}"]
    if mode != "in_memory":
        flags.append("--direct_num_workers=4")
    check_same_bytes(run_score, tmp_path, flags)


@pytest.mark.beam
@pytest.mark.program
@pytest.mark.usefixtures("forked_workers", "large_units")
def test_worker_processes_change_no_byte(run_score: Score, tmp_path: Path) -> None:
    flags = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    check_same_bytes(run_score, tmp_path, flags)


def check_same_bytes(run_score: Score, folder: Path, flags: list[str]) -> None:
    assert run_score(*PROFILE, output=folder / "one") == 0
    assert run_score(*PROFILE, *flags) == 0
    assert published(folder / "scores") == published(folder / "one")
    probability = read_profile(folder / "one")["score", "probability", "value"]
    assert 0 < probability["counted"] < probability["numbers"]


def test_of_large_units_all_rows_are_counted_where_the_job_says_so(
    run_score: Score, tmp_path: Path, large_units: None
) -> None:
    some, every = tmp_path / "some", tmp_path / "every"
    assert run_score(*PROFILE, output=some) == 0
    assert run_score(*PROFILE, "--set", "monitor.every_row=true", output=every) == 0
    of_some, of_every = read_profile(some), read_profile(every)
    for place, row in of_every.items():
        assert row["counted"] == row["numbers"]
        exact = ("rows", "missing", "numbers", "min", "max", "below", "above", "values", "distinct")
        assert {name: row[name] for name in exact} == {name: of_some[place][name] for name in exact}
    assert of_some["score", "probability", "value"]["counted"] < 143
    assert manifest(some)["run_id"] != manifest(every)["run_id"]


def test_what_a_filter_leaves_of_large_units_is_counted_whole(
    job: Path, tmp_path: Path, large_units: None
) -> None:
    write_parquet(tmp_path / "shards/0.parquet", small_table(100))
    found = profile(run_job(job, settings={"source.where": "id < 40"}))
    a = found["input", "a", "value"]
    assert a["rows"] == a["numbers"] == a["counted"] == 40


def test_a_run_that_resumes_counts_the_same_rows(
    job: Path, tmp_path: Path, large_units: None
) -> None:
    for number in range(3):
        values = pa.array([None if number == 2 and row == 5 else float(row) for row in range(100)])
        rows = small_table(100, first=100 * number, a=values.cast(pa.float32()))
        write_parquet(tmp_path / f"shards/{number}.parquet", rows)
    # Units are done, and nothing is published.
    assert run_job(job).status == 4
    budget = {"errors.max_rejected_rows": 1}
    resumed = run_job(job, settings=budget)
    clean = run_job(job, settings={**budget, "sink.path": str(tmp_path / "clean")})
    found = profile(resumed)
    assert found == profile(clean)
    assert resumed.read_files() == clean.read_files()
    assert 0 < found["input", "a", "value"]["counted"] < 100


@pytest.mark.slow
def test_batches_of_other_sizes_change_rounding_alone(run_score: Score, tmp_path: Path) -> None:
    assert run_score(*PROFILE, output=tmp_path / "large") == 0
    assert run_score(*PROFILE, "--set", "source.rows_per_batch=7") == 0
    small, large = read_profile(tmp_path / "scores"), read_profile(tmp_path / "large")
    rounded = {"mean", "std", "sum", "sum_of_squares"}
    for place, row in small.items():
        for name, value in row.items():
            if name not in rounded:
                assert value == large[place][name], (place, name)
        if row["mean"] is not None:
            assert row["mean"] == pytest.approx(large[place]["mean"], rel=1e-6)
            assert row["std"] == pytest.approx(large[place]["std"], rel=1e-6)


def test_an_altered_profile_is_found(run_score: Score, tmp_path: Path) -> None:
    assert run_score(*PROFILE) == 0
    for path in current_run(tmp_path / "scores").glob("_summaries/*.parquet"):
        content = path.read_bytes()
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        assert run_program(verify.main, [str(tmp_path / "scores")]) == 3
        path.unlink()
        assert run_program(verify.main, [str(tmp_path / "scores")]) == 3
        path.write_bytes(content)
    assert run_program(verify.main, [str(tmp_path / "scores")]) == 0


def test_a_profile_that_the_manifest_does_not_tell_of_goes_with_the_next_launch(
    run_score: Score, tmp_path: Path
) -> None:
    assert run_score(*PROFILE) == 0
    run = current_run(tmp_path / "scores")
    (run / "_summaries/profile-0123456789ab.parquet").write_bytes(b"stray")
    assert run_score(*PROFILE) == 0
    names = {path.name for path in (run / "_summaries").iterdir()}
    assert len(names) == 5
    assert "profile-0123456789ab.parquet" not in names


@pytest.fixture
def job(tmp_path: Path) -> Path:
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    package = tiny_package(tmp_path / "model", columns=columns)
    return write_job(tmp_path, package, monitor={"summaries": ["profile"]})


def profile(outcome: Outcome) -> Rows:
    assert outcome.status == 0, outcome.error
    return read_profile(outcome.output)


def test_rows_that_are_rejected_or_filtered_are_told_of(job: Path, tmp_path: Path) -> None:
    values = pa.array([1.0, None, 3.0, float("nan"), 5.0], pa.float32())
    rows = small_table(5, a=values, t=pa.array(["x", "y", None, "x", "x"]))
    write_parquet(tmp_path / "shards/0.parquet", rows)
    settings = {
        "errors.max_rejected_rows": 2,
        "source.passthrough": ["t"],
        "monitor.columns": {"t": {}},
        "postprocess.where": "id > 2",
    }
    outcome = run_job(job, settings=settings)
    assert outcome.manifest["rows"] == {"in": 5, "scored": 1, "filtered": 2, "rejected": 2}
    found = profile(outcome)
    a = found["input", "a", "value"]
    assert (a["rows"], a["missing"], a["nan"], a["numbers"]) == (5, 1, 1, 3)
    assert (a["mean"], a["min"], a["max"]) == (3.0, 1.0, 5.0)
    t = found["input", "t", "value"]
    assert (t["rows"], t["missing"]) == (5, 1)
    assert t["values"] == [{"value": "x", "count": 3}, {"value": "y", "count": 1}]
    scores = [row for (kind, _, _), row in found.items() if kind == "score"]
    # Of those that were scored, with those that the filter leaves out.
    assert {row["rows"] for row in scores} == {3}


def test_no_rows_have_a_profile(job: Path, tmp_path: Path) -> None:
    write_parquet(tmp_path / "shards/0.parquet", small_table(0))
    found = profile(run_job(job))
    assert found["input", "a", "value"]["rows"] == 0
    assert found["input", "a", "value"]["mean"] is None


@pytest.mark.slow
def test_small_shards_that_are_put_together_have_one_profile(job: Path, tmp_path: Path) -> None:
    for number in range(90):
        rows = small_table(4, first=4 * number)
        write_parquet(tmp_path / f"shards/{number:02d}.parquet", rows)
    outcome = run_job(job)
    assert profile(outcome)["input", "a", "value"]["rows"] == 360
    assert len(outcome.manifest["summary_parts"]) == len(outcome.manifest["units"]) < 90


def test_a_renamed_score_is_compared_with_what_training_knew(
    run_score: Score, tmp_path: Path
) -> None:
    assert run_score(*PROFILE, "--set", "postprocess.rename={probability: risk}") == 0
    assert read_profile(tmp_path / "scores")["score", "risk", "value"]["cut_points"]


def test_what_cannot_be_summarised_is_refused(job: Path, tmp_path: Path) -> None:
    write_parquet(tmp_path / "shards/0.parquet")
    unknown = run_job(job, settings={"monitor.summaries": ["profil"]})
    unknown.refused("monitor.summaries", "profile", status=2)
    stranger = run_job(job, settings={"monitor.columns": {"di": {}}})
    stranger.refused("monitor.columns names 'di'", "there are a, b, c, id", status=2)


def test_a_broken_profile_of_training_is_refused(tmp_path: Path) -> None:
    package = tiny_package(tmp_path / "model", contents={"profile.parquet": b"no profile"})
    job = write_job(tmp_path, package, monitor={"summaries": ["profile"]})
    write_parquet(tmp_path / "shards/0.parquet")
    run_job(job).refused("profile.parquet", "is no profile of training", "pack the model again")
    assert run_job(job, settings={"monitor.summaries": []}).status == 0


def test_a_summary_that_was_altered_before_it_was_published_is_refused(
    job: Path, tmp_path: Path
) -> None:
    write_parquet(tmp_path / "shards/0.parquet")
    # Over budget: units are done, and nothing is published.
    bad = small_table(4, first=4, a=pa.nulls(4, pa.float32()))
    write_parquet(tmp_path / "shards/1.parquet", bad)
    assert run_job(job).status == 4
    (temporary,) = (tmp_path / "scores/_tmp").iterdir()
    for path in temporary.glob("attempts/*-profile.parquet"):
        path.write_bytes(b"altered")
    again = run_job(job, settings={"errors.max_rejected_rows": 4})
    again.refused("is not what was written", status=5)


def test_the_manifest_lists_what_was_computed(run_score: Score, tmp_path: Path) -> None:
    assert run_score(*PROFILE) == 0
    told = manifest(tmp_path / "scores")
    (entry,) = told["summaries"]
    assert (entry["name"], entry["rows"]) == ("profile", 33)
    assert len(told["summary_parts"]) == len(told["units"])
    asked = told["job"]["monitor"]
    assert (asked["summaries"], asked["reference"], asked["columns"]) == (["profile"], None, {})
    assert "monitor" not in told
