"""The last runs of an output, a line each."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pipelines.reporting.document import PastRun
from pipelines.reporting.reading import ToldRun

Manifest: TypeAlias = Mapping[str, Any]


def list_history(runs: Sequence[ToldRun], this_run_id: str) -> tuple[PastRun, ...]:
    """Return what is told of each run.

    Args:
        runs: the latest first.
        this_run_id: of the run that the report is about.
    """
    return tuple(_describe(told.manifest, this_run_id) for told in runs)


def find_state(manifest: Manifest) -> str:
    """Return whether a run is `published`, `held`, or `released` after it was held.

    Args:
        manifest: of the run.
    """
    if "released" in manifest:
        return "released"
    verdict = (manifest.get("monitor") or {}).get("verdict")
    return "held" if verdict == "held" else "published"


def _describe(manifest: Manifest, this_run_id: str) -> PastRun:
    monitor = manifest.get("monitor") or {}
    rows = manifest["rows"]
    findings = monitor.get("findings", ())
    beyond = [finding for finding in findings if finding["level"] != "note"]
    model = manifest["model"]
    name = model["name"]
    version = model["version"]
    return PastRun(
        run_id=manifest["run_id"],
        published_at=manifest["published_at"],
        state=find_state(manifest),
        verdict=monitor.get("verdict", ""),
        warnings=len(beyond),
        rows_in=rows["in"],
        rows_scored=rows["scored"],
        rows_rejected=rows["rejected"],
        seconds=manifest.get("seconds", 0.0),
        psi_input=_find_largest(monitor, is_of_scores=False),
        psi_score=_find_largest(monitor, is_of_scores=True),
        model=f"{name} {version}",
        is_this=manifest["run_id"] == this_run_id,
    )


def _find_largest(monitor: Mapping[str, Any], is_of_scores: bool) -> float | None:
    """Return the largest PSI of the columns of one kind; None where none was measured."""
    found = []
    for distance in monitor.get("distances", ()):
        psi = distance.get("psi")
        is_of_this_kind = (distance["kind"] == "score") is is_of_scores
        if is_of_this_kind and psi is not None:
            found.append(psi)
    return max(found, default=None)
