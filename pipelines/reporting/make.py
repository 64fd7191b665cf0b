"""From a run in an output to its report."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from pipelines.reporting.books import (
    describe_computing,
    describe_model,
    read_books,
    read_compared,
    read_time,
)
from pipelines.reporting.changes import find_changes
from pipelines.reporting.columns import Distances, Measured, list_columns, list_labels
from pipelines.reporting.document import RunReport
from pipelines.reporting.history import find_state, list_history
from pipelines.reporting.reading import (
    ToldRun,
    count_reasons,
    find_before,
    read_profile,
    read_reference,
    read_runs,
)
from pipelines.reporting.verdict import find_verdict
from storage import files
from storage.layout import find_manifest

Manifest: TypeAlias = Mapping[str, Any]

LAST_RUNS = 30
# The run itself, and the one before.
_FEWEST_RUNS = 2


def make_report(told: ToldRun, last: int = LAST_RUNS, against: ToldRun | None = None) -> RunReport:
    """Return the report of a run.

    Args:
        told: the run.
        last: how many runs its history has.
        against: the run to say what changed since; by default the one before.

    Raises:
        VerifyError: a file of the run is missing, or is not what it should be.
    """
    manifest = told.manifest
    runs = read_runs(told, max(last, _FEWEST_RUNS))
    before = against or find_before(runs, told)
    books = read_books(manifest)
    compared = read_compared(manifest)
    state = find_state(manifest)
    shows_values = bool(manifest["job"].get("monitor", {}).get("report_values", False))
    measured = Measured(
        profile=read_profile(told),
        reference=read_reference(told),
        distances=_list_distances(manifest),
        findings=compared.findings,
        shows_values=shows_values,
        labels=_list_labels(manifest),
    )
    columns, scores = list_columns(measured)
    return RunReport(
        run_id=told.run.run_id,
        job=manifest["job"]["name"],
        output=told.run.output,
        state=state,
        published_at=manifest["published_at"],
        manifest_sha256=find_digest(told),
        shows_values=shows_values,
        verdict=find_verdict(manifest, state, books, compared),
        books=books,
        compared=compared,
        columns=columns,
        scores=scores,
        labels=list_labels(measured),
        reasons=count_reasons(told),
        time=read_time(manifest),
        model=describe_model(manifest),
        computing=describe_computing(manifest),
        libraries=manifest.get("libraries", {}),
        agreement=manifest.get("agreement"),
        changes=find_changes(None if before is None else before.manifest, manifest),
        history=list_history(runs[:last], told.run.run_id),
        settings=manifest["job"],
    )


def find_digest(told: ToldRun) -> str:
    """Return the SHA-256 of a run's manifest, by which its page is known for one of it.

    Raises:
        FileNotFoundError: somebody removed the manifest.
    """
    url = find_manifest(told.run) or told.run.manifest
    return files.compute_sha256(url)


def _list_distances(manifest: Manifest) -> Distances:
    monitor = manifest.get("monitor") or {}
    return {
        (distance["kind"], distance["column"], distance.get("of", "value")): distance
        for distance in monitor.get("distances", ())
    }


def _list_labels(manifest: Manifest) -> tuple[str, ...]:
    """Return names of classes, which the model or the job has, and no row."""
    of_job = manifest["job"].get("postprocess", {}).get("labels") or ()
    of_model = manifest["model"].get("labels") or ()
    return (*of_job, *of_model)
