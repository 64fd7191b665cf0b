"""Checks of the rows that are read: rejected rows, counts of failures, and jobs that ask for what cannot be."""

from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import release, verify
from pipelines.cli.command_line import run_program
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet

REGIONS = pa.array(["north", "south", None, "east", "north"])
AGES = pa.array([30, 130, None, 50, -1], pa.int16())
SETTINGS: dict[str, Any] = {
    "source.passthrough": ["age", "region"],
    "errors.max_rejected_rows": 3,
}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    package = tiny_package(tmp_path / "model")
    for number in range(2):
        rows = small_table(5, first=5 * number, age=AGES, region=REGIONS)
        write_parquet(tmp_path / f"shards/{number}.parquet", rows)
    return write_job(tmp_path, package)


def run(job: Path, checks: dict[str, Any], **more: Any) -> Outcome:
    return run_job(job, settings={**SETTINGS, "checks": checks, **more})


def counts(outcome: Outcome) -> list[tuple[str, str, int, int, int]]:
    """Column, rule, rows, missing and failed ones of the merged counts."""
    assert outcome.status == 0, outcome.error
    (path,) = outcome.run.glob("_summaries/checks-*.parquet")
    columns = pq.read_table(path).drop_columns("newest").to_pydict()
    return list(zip(*columns.values(), strict=True))


@pytest.mark.beam
def test_rows_that_fail_are_rejected_and_all_others_scored(job: Path) -> None:
    checks = {"age": {"min": 0, "max": 120, "on_failure": "reject"}}
    outcome = run(job, checks, **{"errors.max_rejected_rows": 4})
    assert outcome.manifest["rows"] == {"in": 10, "scored": 6, "filtered": 0, "rejected": 4}
    told = [(row["row"], row["key"], row["stage"], row["message"]) for row in outcome.rejected()]
    assert told == [
        (1, 1, "preprocess", "column 'age': greater than checks.age.max"),
        (4, 4, "preprocess", "column 'age': less than checks.age.min"),
        (1, 6, "preprocess", "column 'age': greater than checks.age.max"),
        (4, 9, "preprocess", "column 'age': less than checks.age.min"),
    ]
    # None that only counts.
    assert not (outcome.run / "_summaries").exists()


def test_more_of_them_than_the_budget_allows_are_published_not(job: Path) -> None:
    outcome = run(job, {"age": {"min": 0, "max": 120, "on_failure": "reject"}})
    outcome.refused("4 of 10 rows were rejected", status=4)


def test_failures_that_only_warn_are_counted(job: Path) -> None:
    checks = {
        "region": [
            {"allowed": ["north", "south"], "not_null": True, "on_failure": "warn"},
            {"matches": "[a-z]+", "on_failure": "hold"},
        ],
        "age": {"min": 0, "on_failure": "warn", "mostly": 0.5},
    }
    outcome = run(job, checks)
    assert counts(outcome) == [
        ("age", "min", 10, 2, 2),
        ("region", "allowed", 10, 2, 2),
        ("region", "not_null", 10, 2, 2),
        ("region", "matches", 10, 2, 0),
    ]
    assert outcome.manifest["rows"]["scored"] == 10
    assert run_program(verify.main, [str(outcome.output)]) == 0


def test_a_row_that_is_rejected_is_counted_among_all_that_were_read(job: Path) -> None:
    checks = {
        "age": {"max": 120, "on_failure": "reject"},
        "region": {"allowed": ["north"], "on_failure": "warn"},
    }
    assert counts(run(job, checks)) == [("region", "allowed", 10, 2, 4)]


def test_a_check_that_decides_no_file_changes_no_run(job: Path) -> None:
    def find_run(age: dict[str, Any], region: dict[str, Any]) -> str:
        outcome = run(job, {"age": age, "region": {"not_null": True, **region}})
        assert outcome.status == 0, outcome.error
        return outcome.run.name

    warned = find_run({"min": 0, "on_failure": "warn"}, {"on_failure": "warn"})
    held = find_run({"min": 0, "on_failure": "warn", "mostly": 0.5}, {"on_failure": "warn"})
    other = find_run({"min": 1, "on_failure": "warn"}, {"on_failure": "warn"})
    assert warned == held != other


def test_repeated_keys_of_all_shards_are_counted(job: Path, tmp_path: Path) -> None:
    write_parquet(tmp_path / "shards/2.parquet", small_table(5, first=8, age=AGES, region=REGIONS))
    unique = {"unique": True, "on_failure": "warn"}
    outcome = run(job, {"id": unique, "region": {**unique, "not_null": True}})
    told = {}
    for entry in outcome.manifest["summaries"]:
        told[entry["name"]] = pq.read_table(outcome.run / entry["path"]).to_pylist()
    assert told["unique0"] == [{"column": "id", "rule": "unique", "rows": 15, "repeated": 2}]
    assert told["unique1"] == [{"column": "region", "rule": "unique", "rows": 12, "repeated": 9}]
    assert [row["rule"] for row in told["checks"]] == ["not_null"]
    assert run_program(verify.main, [str(outcome.output)]) == 0


def find_levels(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Level and rule of each finding."""
    found = document["monitor"]["findings"]
    assert {finding["kind"] for finding in found} == {"check"}
    return [(finding["level"], finding["measure"]) for finding in found]


def test_a_check_that_warns_is_told_and_the_run_is_published(job: Path) -> None:
    checks = {"age": {"max": 120, "min": -1, "on_failure": "warn"}}
    outcome = run(job, checks)
    assert outcome.status == 0, outcome.error
    assert find_levels(outcome.manifest) == [("warn", "max")]
    assert outcome.manifest["monitor"]["verdict"] == "warned"


def test_a_check_that_holds_keeps_a_run_back_until_it_is_released(job: Path) -> None:
    checks = {
        "age": {"max": 120, "on_failure": "warn"},
        "id": {"unique": True, "on_failure": "hold"},
    }
    rows = small_table(5, first=8, age=AGES, region=REGIONS)
    write_parquet(job.parent / "shards/2.parquet", rows)
    held = run(job, checks)
    assert held.status == 6, held.error
    assert "2 of 15 values are repeated, against checks.id.unique" in held.error + held.said
    assert not held.is_published()
    (folder,) = (held.output / "runs").iterdir()
    document = json.loads((folder / "_held.json").read_text())
    assert find_levels(document) == [("hold", "unique"), ("warn", "max")]
    words = [str(held.output), folder.name, "--reason", "known"]
    assert run_program(release.main, words) == 0
    assert held.manifest["monitor"] == document["monitor"]
    assert run_program(verify.main, [str(held.output)]) == 0


def test_data_that_is_too_old_is_held_back(job: Path, tmp_path: Path) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    moments = pa.array([yesterday, None, yesterday], pa.timestamp("us", tz="UTC"))
    write_parquet(tmp_path / "shards/0.parquet", small_table(3, day=moments))
    (tmp_path / "shards/1.parquet").unlink()
    statuses = []
    for words in ("25 hours", "2 hours"):
        check = {"newest_within": words, "on_failure": "hold"}
        settings = {"source.passthrough": ["day"], "checks": {"day": check}}
        # Another folder: how old data may be is no part of a run's id.
        output = tmp_path / words.replace(" ", "_")
        statuses.append(run_job(job, output=output, settings=settings).status)
    assert statuses == [0, 6]


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ({"agee": {"min": 0, "on_failure": "warn"}}, "checks names 'agee', which is no column"),
        (
            {"age": {"min": "old", "on_failure": "warn"}},
            "checks.age.min: 'old' is a text, and the column is int16; write a number",
        ),
        ({"age": {"matches": "a", "on_failure": "warn"}}, "checks.age.matches: makes no sense"),
        (
            {"region": {"matches": "(a", "on_failure": "warn"}},
            "checks.region.matches: makes no sense",
        ),
        (
            {"region": {"matches": "a)|(b", "on_failure": "warn"}},
            "checks.region.matches: makes no sense",
        ),
        (
            {"region": {"allowed": [True], "on_failure": "warn"}},
            "checks.region.allowed: True is no text",
        ),
        ({"age": {"min": 0}}, "checks.age.0.on_failure"),
        ({"age": {"on_failure": "warn"}}, "asks for nothing"),
        ({"age": {"min": 0, "on_failure": "reject", "mostly": 0.5}}, "mostly is for warn and hold"),
        ({"age": {"mni": 0, "on_failure": "warn"}}, "did you mean min"),
        ({"age": []}, "checks.age"),
        ({"age": {"unique": True, "on_failure": "reject"}}, "unique is for warn and hold"),
        (
            {"age": {"newest_within": "2 days", "on_failure": "warn"}},
            "checks.age.newest_within: makes no sense",
        ),
        (
            {"age": {"newest_within": "2 day", "on_failure": "reject"}},
            "newest_within is for warn and hold",
        ),
        ({"age": {"newest_within": "soon", "on_failure": "warn"}}, "newest_within"),
    ],
)
def test_what_cannot_be_checked_is_refused(job: Path, checks: dict[str, Any], words: str) -> None:
    run(job, checks).refused(words, status=2)


def test_dates_of_a_job_are_compared_with_dates(job: Path, tmp_path: Path) -> None:
    days = pa.array([0, 20_000, 30_000, None], pa.date32())
    write_parquet(tmp_path / "shards/0.parquet", small_table(4, day=days))
    (tmp_path / "shards/1.parquet").unlink()
    text = f"""
name: dates
source: {{paths: {tmp_path}/shards/*, key: id, passthrough: [day]}}
model: {{package: {tmp_path}/model}}
sink: {{path: {tmp_path}/scores}}
checks: {{day: {{min: 2000-01-01, max: 2030-01-01, on_failure: warn}}}}
"""
    job.write_text(text)
    assert counts(run_job(job)) == [("day", "min", 4, 1, 1), ("day", "max", 4, 1, 1)]
