"""What changed since the run before, and which run that is."""

from typing import Any

import pytest

from pipelines.reporting.changes import find_changes
from pipelines.reporting.document import Change
from pipelines.reporting.history import list_history
from pipelines.reporting.reading import find_before
from tests.pipelines.reporting.told import make_finding, make_manifest, make_monitor, tell


def compare(**fields: Any) -> tuple[Change, ...]:
    return find_changes(make_manifest("a1"), make_manifest(**fields)).changes


def test_the_same_again_has_no_changes() -> None:
    changes = find_changes(make_manifest("a1"), make_manifest())
    assert (changes.since, changes.changes) == ("a1", ())


def test_the_first_run_has_none_before_it() -> None:
    assert find_changes(None, make_manifest()).since is None


def test_inputs_are_counted() -> None:
    inputs = [
        {"url": "in/1.parquet", "version": "2"},
        {"url": "in/2.parquet", "version": "1"},
        {"url": "in/3.parquet", "version": "1"},
    ]
    rows = {"in": 2000, "scored": 2000, "filtered": 0, "rejected": 0}
    assert compare(inputs=inputs, rows=rows) == (
        Change("inputs", "rows", "1,000", "2,000"),
        Change("inputs", "files", "2", "3"),
        Change("inputs", "new files", "", "2"),
        Change("inputs", "files that are gone", "", "1"),
        Change("inputs", "files that changed", "", "1"),
    )


def test_a_setting_is_told_by_its_whole_name() -> None:
    job = make_manifest()["job"]
    job = {**job, "errors": {**job["errors"], "max_rejected_rows": 9}, "extra": {"deep": {"a": 1}}}
    assert compare(job=job) == (
        Change("settings", "errors.max_rejected_rows", "5", "9"),
        Change("settings", "extra.deep.a", "", "1"),
    )


def test_a_secret_in_a_setting_is_not_told() -> None:
    job = {**make_manifest()["job"], "place": "s3://key:secret@bucket/a"}
    (change,) = compare(job=job)
    assert "secret" not in change.now
    assert "bucket" in change.now


def test_a_long_setting_is_cut() -> None:
    (change,) = compare(job={**make_manifest()["job"], "steps": "x" * 201})
    assert (len(change.now), change.now[-2:]) == (200, "x…")


def test_model_computing_libraries_and_columns_are_compared() -> None:
    model = {**make_manifest()["model"], "version": "8"}
    libraries = {"python": "3.11.9", "numpy": "2.4.6"}
    schema = [{"name": "id", "type": "string"}, {"name": "probability", "type": "float"}]
    engine = {"name": "onnx", "library": "1.32", "chosen_by": "the job"}
    found = compare(model=model, libraries=libraries, schema=schema, engine=engine)
    assert [(change.about, change.name, change.before, change.now) for change in found] == [
        ("model", "version", "7", "8"),
        ("computing", "engine: name", "torch", "onnx"),
        ("computing", "engine: library", "2.13.0", "1.32"),
        ("libraries", "numpy", "", "2.4.6"),
        ("libraries", "torch", "2.13.0", ""),
        ("columns", "id", "int64", "string"),
    ]


RUNS = [
    tell("out", make_manifest(name, published_at=f"2026-05-0{day}T00:00:00.000+00:00"))
    for name, day in (("d4", 4), ("c3", 3), ("b2", 2), ("a1", 1))
]


@pytest.mark.parametrize(
    ("reference", "before"),
    [
        ({}, "b2"),
        ({"kind": "previous", "runs": ["a1"]}, "a1"),
        ({"kind": "run", "runs": ["d4"]}, "d4"),
        ({"kind": "run", "runs": ["gone"]}, None),
        ({"kind": "last", "runs": ["a1", "d4"]}, "b2"),
    ],
)
def test_the_run_before_is_the_one_that_was_compared_with(
    reference: dict[str, Any], before: str | None
) -> None:
    monitor = make_monitor("clean", **reference)
    told = tell("out", {**RUNS[1].manifest, "monitor": monitor})
    found = find_before([RUNS[0], told, *RUNS[2:]], told)
    assert (None if found is None else found.run.run_id) == before


def test_a_line_of_the_history_tells_the_worst() -> None:
    distances = [
        {"kind": "input", "column": "a", "psi": 0.1},
        {"kind": "input", "column": "b", "psi": 0.3},
        {"kind": "input", "column": "c", "psi": None},
        {"kind": "score", "column": "p", "psi": 0.2},
    ]
    warned = make_finding("warn", "b", "b drifted")
    noted = make_finding("note", "c", "c is not compared")
    monitor = make_monitor("warned", warned, noted, distances=distances)
    this, plain = list_history(
        [tell("out", make_manifest(monitor=monitor)), tell("out", make_manifest("a1"))], "b2"
    )
    assert (this.is_this, this.verdict, this.warnings) == (True, "warned", 1)
    assert (this.psi_input, this.psi_score) == (0.3, 0.2)
    assert (plain.is_this, plain.verdict, plain.warnings) == (False, "", 0)
    assert (plain.psi_input, plain.psi_score) == (None, None)
    assert (plain.rows_in, plain.rows_scored, plain.rows_rejected) == (1000, 997, 3)
