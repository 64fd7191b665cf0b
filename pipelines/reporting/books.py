"""The parts of a report that are in the manifest as they are: the books, the time, the model."""

from collections.abc import Iterator, Mapping
import math
from typing import Any, TypeAlias

from pipelines.reporting.document import Books, Broken, Compared, Finding, Time
from storage.listing_rules import count_by_rule

Manifest: TypeAlias = Mapping[str, Any]
Words: TypeAlias = dict[str, str]

# Less than a row, and more than a float of so many rows is off by.
_ROUNDING = 1e-6
# A run may have findings of checks alone.
_NOTHING = "none"
_REFERENCES = {
    "training": "the rows of training",
    "previous": "the run before",
    "last": "the last runs",
    "run": "another run",
    "file": "a profile of its own",
}


def read_books(manifest: Manifest) -> Books:
    """Return what became of all rows.

    Args:
        manifest: of the run.
    """
    rows = manifest["rows"]
    accounted = sum(count for outcome, count in rows.items() if outcome != "in")
    return Books(
        rows=dict(rows),
        is_balanced=accounted == rows["in"],
        allowed=_count_allowed(manifest),
        units=len(manifest["units"]),
        files=len(manifest["files"]),
        inputs=len(manifest["inputs"]),
        left_out=dict(count_by_rule(manifest.get("ignored_inputs", ()))),
        broken=tuple(_read_broken(manifest)),
    )


def read_compared(manifest: Manifest) -> Compared:
    """Return what the rows of a run were compared with, and what that found.

    Args:
        manifest: of the run; that of a job without a reference says nothing of it.
    """
    monitor = manifest.get("monitor") or {}
    reference = monitor.get("reference") or {}
    kind = reference.get("kind", _NOTHING)
    findings = [
        Finding(
            level=finding["level"],
            kind=finding["kind"],
            column=finding["column"],
            of=finding.get("of", "value"),
            measure=finding["measure"],
            says=finding["says"],
        )
        for finding in monitor.get("findings", ())
    ]
    return Compared(
        with_what="" if kind == _NOTHING else _REFERENCES.get(kind, kind),
        says=reference.get("says") or "",
        runs=tuple(reference.get("runs") or ()),
        rows=reference.get("rows"),
        verdict=monitor.get("verdict", ""),
        findings=tuple(findings),
    )


def read_time(manifest: Manifest) -> Time:
    """Return where the time of a run went.

    Args:
        manifest: of the run; those of older versions lack some of it.
    """
    stages = manifest.get("stages", {})
    return Time(
        seconds=manifest.get("seconds", 0.0),
        rows_per_second=manifest.get("rows_per_second"),
        peak_memory_bytes=manifest.get("peak_memory_bytes"),
        stages={name: entry["seconds"] for name, entry in stages.items()},
        workers=len(manifest.get("workers", {})),
    )


def describe_model(manifest: Manifest) -> Words:
    """Return what scored the rows, in words.

    Args:
        manifest: of the run.
    """
    words = {}
    for name in ("name", "version", "task", "package", "digest"):
        value = manifest["model"].get(name)
        if value:
            words[name] = str(value)
    return words


def describe_computing(manifest: Manifest) -> Words:
    """Return how the network was computed, in words.

    Args:
        manifest: of the run.
    """
    words = {}
    for name, value in manifest.get("engine", {}).items():
        if value:
            words[f"engine: {name}"] = str(value)
    for name, value in manifest.get("computing", {}).items():
        if value not in (None, ""):
            words[name] = str(value)
    placements = manifest.get("computed_by", ())
    words["computed by"] = "; ".join(placements)
    return words


def _read_broken(manifest: Manifest) -> Iterator[Broken]:
    for shard in manifest.get("broken_shards") or ():
        yield Broken(
            url=shard["url"],
            rows=shard["rows"],
            message=shard["message"],
        )


def _count_allowed(manifest: Manifest) -> int:
    """Return how many rejected rows the job's budget allows of so many rows."""
    errors = manifest["job"].get("errors", {})
    rows = manifest["rows"]
    # As publishing counts them: of those that were to be scored.
    to_score = rows["in"] - rows.get("left_out", 0)
    by_share = to_score * errors.get("max_rejected_percent", 0.0) / 100
    return max(errors.get("max_rejected_rows", 0), math.floor(by_share + _ROUNDING))
