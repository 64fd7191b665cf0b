"""Reports made by hand, of runs of any size, without any files."""

from typing import Any

from pipelines.reporting.books import (
    describe_computing,
    describe_model,
    read_books,
    read_compared,
    read_time,
)
from pipelines.reporting.changes import find_changes
from pipelines.reporting.columns import Measured, list_columns, list_labels
from pipelines.reporting.document import Check, Reason, RunReport
from pipelines.reporting.history import find_state, list_history
from pipelines.reporting.verdict import find_verdict
from tests.pipelines.reporting.told import (
    by_place,
    make_finding,
    make_manifest,
    make_monitor,
    make_row,
    make_values_row,
    tell,
)

CITY = "Rumpelstiltskin"


def make_columns(count: int) -> list[dict[str, Any]]:
    """Rows of a profile: many numbers, of which some moved."""
    return [
        make_row(f"column_{number}", counts=[number % 7, 4, 20, 25, 25, 20, 4, 1 + number % 50])
        for number in range(count)
    ]


def report_of(
    columns: int = 6,
    runs: int = 3,
    shows_values: bool = False,
    reasons: int = 1,
    **fields: Any,
) -> RunReport:
    """The report of a run that was warned of one column, and of runs before it."""
    names = [f"column_{number}" for number in range(columns)]
    distances = [
        {"kind": "input", "column": name, "psi": 0.001 * number, "ks": 0.01, "chance": 0.5}
        for number, name in enumerate(names)
    ]
    warned = make_finding("warn", names[0], f"PSI of {names[0]} is 0.31, above 0.1")
    monitor = make_monitor("warned", warned, distances=distances)
    manifest = make_manifest(**{"monitor": monitor, **fields})
    compared = read_compared(manifest)
    cities = make_values_row("city", {CITY: 60, "Bern": 40})
    labels = make_values_row("label", {"stays": 80, "leaves": 20}, kind="score")
    rows = [*make_columns(columns), cities, make_row("probability", "score"), labels]
    measured = Measured(
        profile=by_place(*rows),
        reference=by_place(*(make_row(name) for name in names), labels),
        distances={(entry["kind"], entry["column"], "value"): entry for entry in distances},
        findings=compared.findings,
        shows_values=shows_values,
        labels=("stays", "leaves"),
    )
    inputs, scores = list_columns(measured)
    past = [
        make_manifest(
            f"run{day:02d}",
            published_at=f"2026-04-{day:02d}T01:00:00.000+00:00",
            monitor=make_monitor("warned" if day % 5 == 0 else "clean"),
        )
        for day in range(runs, 0, -1)
    ]
    state = find_state(manifest)
    books = read_books(manifest)
    return RunReport(
        run_id=manifest["run_id"],
        job=manifest["job"]["name"],
        output="/scores",
        state=state,
        published_at=manifest["published_at"],
        manifest_sha256="0" * 64,
        shows_values=shows_values,
        verdict=find_verdict(manifest, state, books, compared),
        books=books,
        compared=compared,
        columns=inputs,
        scores=scores,
        labels=list_labels(measured),
        checks=(Check("age", "max 120", 1000, 2, 25),),
        reasons=tuple(
            Reason("preprocess", "ValueError", f"{number}: no such town: ***", 3)
            for number in range(reasons)
        ),
        time=read_time(manifest),
        model=describe_model(manifest),
        computing=describe_computing(manifest),
        libraries=manifest["libraries"],
        agreement=manifest["agreement"],
        changes=find_changes(past[0] if past else None, manifest),
        history=list_history([tell("/scores", run) for run in (manifest, *past)], "b2"),
        settings=manifest["job"],
    )
