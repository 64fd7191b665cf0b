"""From a run in an output to its report."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from model_zoo.evaluation.profile_drift import compare_profiles
from pipelines.reporting.books import (
    describe_computing,
    describe_model,
    read_books,
    read_compared,
    read_time,
)
from pipelines.reporting.changes import find_changes
from pipelines.reporting.columns import Distances, Measured, Profile, list_columns, list_labels
from pipelines.reporting.document import Compared, RunReport
from pipelines.reporting.history import find_state, list_history
from pipelines.reporting.last_runs import LAST_RUNS
from pipelines.reporting.reading import (
    ToldRun,
    count_reasons,
    find_before,
    read_checks,
    read_profile,
    read_reference,
    read_runs,
)
from pipelines.reporting.verdict import find_verdict
from storage import files
from storage.layout import find_document

Manifest: TypeAlias = Mapping[str, Any]

# The run itself, and the one before.
_FEWEST_RUNS = 2


class _Comparison(NamedTuple):
    """What the columns are compared with, and how far they are from it."""

    compared: Compared
    reference: Profile
    distances: Distances


def make_report(told: ToldRun, last: int = LAST_RUNS, against: ToldRun | None = None) -> RunReport:
    """Return the report of a run.

    Args:
        told: the run.
        last: how many runs its history has.
        against: the run to compare with, in place of the reference and of the run before.

    Raises:
        VerifyError: a file of the run is missing, or is not what it should be.
    """
    manifest = told.manifest
    runs = read_runs(told, max(last, _FEWEST_RUNS))
    before = against or find_before(runs, told)
    books = read_books(manifest)
    own = read_compared(manifest)
    state = find_state(manifest)
    comparison = _read_comparison(told, own) if against is None else _compare(told, against)
    measured = _measure(told, comparison)
    columns, scores = list_columns(measured)
    return RunReport(
        run_id=told.run.run_id,
        job=manifest["job"]["name"],
        output=told.run.output,
        state=state,
        published_at=manifest["published_at"],
        manifest_sha256=find_digest(told),
        shows_values=measured.shows_values,
        # By the job's own reference, whatever the columns are compared with.
        verdict=find_verdict(manifest, state, books, own),
        books=books,
        compared=comparison.compared,
        columns=columns,
        scores=scores,
        labels=list_labels(measured),
        checks=read_checks(told),
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


def _measure(told: ToldRun, comparison: _Comparison) -> Measured:
    """Return what is known of the columns of a run."""
    manifest = told.manifest
    # Jobs of older versions could not say so.
    monitor = manifest["job"].get("monitor", {})
    return Measured(
        profile=read_profile(told),
        reference=comparison.reference,
        distances=comparison.distances,
        findings=comparison.compared.findings,
        shows_values=monitor.get("report_values", False),
        labels=_list_labels(manifest),
    )


def find_digest(told: ToldRun) -> str:
    """Return the SHA-256 of a run's manifest, by which its page is known for one of it.

    Raises:
        FileNotFoundError: somebody removed the manifest.
    """
    url = find_document(told.run) or told.run.manifest
    return files.compute_sha256(url)


def _read_comparison(told: ToldRun, compared: Compared) -> _Comparison:
    """Return the comparison that was made before the run was published."""
    monitor = told.manifest.get("monitor") or {}
    distances = _list_distances(monitor.get("distances", ()))
    return _Comparison(compared, read_reference(told), distances)


def _compare(told: ToldRun, against: ToldRun) -> _Comparison:
    """Return the comparison with another run, for which the job has no thresholds."""
    reference = read_profile(against)
    profile = read_profile(told)
    drifts = compare_profiles(list(reference.values()), list(profile.values()))
    distances = [drift.as_dict() for drift in drifts]
    run_id = against.run.run_id
    rows = against.manifest["rows"]["in"]
    says = f"run {run_id} ({rows:,} rows)"
    # Whoever reads it would take it for a comparison without findings.
    if not reference:
        says = f"{says}, which has no profile"
    compared = Compared(
        with_what=f"run {run_id}" if reference else "",
        says=says,
        runs=(run_id,),
        rows=rows,
        verdict="",
        findings=(),
    )
    return _Comparison(compared, reference, _list_distances(distances))


def _list_distances(distances: Iterable[Manifest]) -> Distances:
    found = {}
    for distance in distances:
        place = (distance["kind"], distance["column"], distance["of"])
        found[place] = distance
    return found


def _list_labels(manifest: Manifest) -> tuple[str, ...]:
    """Return names of classes, which the model or the job has, and no row."""
    of_job = manifest["job"].get("postprocess", {}).get("labels") or ()
    of_model = manifest["model"].get("labels") or ()
    return (*of_job, *of_model)
