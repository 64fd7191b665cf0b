"""What a run was like, beside what it is compared with: findings, and whether the run may be published.

    _summaries/profile-<digest>.parquet    |
    _tmp/<run_id>/reference.parquet        |  ->  `monitor` of the manifest
    thresholds, and findings of others     |

What the run was compared with is copied to `_summaries/reference-<digest>.parquet`, so that the run
explains itself whatever becomes of the other one.
"""

from collections.abc import Mapping, Sequence
import errno
from typing import Any, TypeAlias

from configs.errors import PublishError
from model_zoo.evaluation.findings import Finding, Rules, Verdict, find_verdict, sort_findings
from model_zoo.evaluation.judged import judge_drifts, judge_rows
from model_zoo.evaluation.profile_drift import Drift, compare_profiles
from storage import files
from storage.run_folder import RunFolder
from transforms.batches import LEFT_OUT
from transforms.output.compared_reference import (
    ComparedReference,
    ReferenceHead,
    decode_reference,
    make_empty_profile,
)
from transforms.output.stored_summary import put_summary
from transforms.summaries.summary import decode_table

# A file as the manifest lists it.
Entry: TypeAlias = dict[str, Any]
PROFILE = "profile"
REFERENCE = "reference"
_NOTHING = ComparedReference(ReferenceHead("", "none", "nothing"), make_empty_profile())


def publish_monitor(
    run: RunFolder,
    rules: Rules | None,
    totals: Mapping[str, int],
    summaries: Sequence[Entry],
    findings: Sequence[Finding] = (),
) -> dict[str, Any]:
    """Compare a run, and return the entries `monitor` and `summaries` of its manifest.

    Args:
        run: the run.
        rules: the thresholds; None of a job that compares with nothing.
        totals: rows in, and those that a filter left out.
        summaries: entries of what was computed beside the scores.
        findings: of others who have looked at the run.

    Raises:
        PublishError: what it is compared with cannot be read.
    """
    if rules is None and not findings:
        return {}
    reference = _NOTHING
    drifts: list[Drift] = []
    found = list(findings)
    entries = list(summaries)
    if rules is not None:
        content, reference = _read_reference(run)
        entry = _copy_reference(run, content, reference)
        profile = _read_profile(run, summaries)
        drifts = compare_profiles(reference.profile.to_pylist(), profile)
        rows = totals["in"] - totals.get(LEFT_OUT, 0)
        found += judge(reference, drifts, rows, rules)
        found += _tell_notes(reference.head)
        if entry is not None:
            entries.append(entry)
    monitor = describe_monitor(reference, drifts, found, entries)
    return {"monitor": monitor, "summaries": entries}


def read_verdict(entries: Mapping[str, Any]) -> Verdict:
    """Return what follows from a run's entries `monitor`; without any it may be published."""
    if not entries:
        return "clean"
    verdict: Verdict = entries["monitor"]["verdict"]
    return verdict


def judge(
    reference: ComparedReference,
    drifts: Sequence[Drift],
    rows: int,
    rules: Rules,
) -> list[Finding]:
    """Return what is to be told of a run; nothing where there is nothing to compare with.

    Args:
        reference: what it is compared with.
        drifts: how far each column is from that.
        rows: of the run.
        rules: the thresholds.
    """
    # Training had whatever rows somebody collected for it: no night need have as many.
    is_training = reference.head.kind == "training"
    whose = "training, which was no night" if is_training else "the reference"
    found = judge_rows(rows, reference.head.volumes, rules, whose)
    # Of no profile one sentence is enough, and none of each column.
    if not reference.profile.num_rows:
        return found
    return [*found, *judge_drifts(drifts, rules)]


def describe_monitor(
    reference: ComparedReference,
    drifts: Sequence[Drift],
    findings: Sequence[Finding],
    summaries: Sequence[Entry],
) -> dict[str, Any]:
    """Return what the manifest says of it; its names are read by other programs.

    Args:
        reference: what the run was compared with.
        drifts: how far each column is from that.
        findings: all of them.
        summaries: entries, among which the reference's copy is.
    """
    ordered = sort_findings(findings)
    copies = [entry["path"] for entry in summaries if entry["name"] == REFERENCE]
    has_profile = bool(reference.profile.num_rows)
    return {
        "reference": {
            "kind": reference.head.kind,
            "asked": reference.head.asked,
            "says": reference.head.says,
            "runs": list(reference.head.runs),
            "rows": reference.rows,
            "profile": copies[0] if copies else None,
        },
        "verdict": find_verdict(ordered),
        "findings": [finding.as_dict() for finding in ordered],
        "distances": [drift.as_dict() for drift in drifts] if has_profile else [],
    }


def _tell_notes(head: ReferenceHead) -> list[Finding]:
    return [Finding("note", "input", None, REFERENCE, note) for note in head.notes]


def _read_reference(run: RunFolder) -> tuple[bytes, ComparedReference]:
    content = files.read(run.reference)
    if content is None:
        # As other temporary files of a run that another launcher has published.
        raise FileNotFoundError(errno.ENOENT, "what it is compared with is gone", run.reference)
    try:
        return content, decode_reference(content)
    except ValueError as error:
        raise PublishError(
            f"{run.reference}: {error}; remove {run.temporary} and run again"
        ) from error


def _copy_reference(
    run: RunFolder,
    content: bytes,
    reference: ComparedReference,
) -> Entry | None:
    rows = reference.profile.num_rows
    if not rows:
        return None
    # A table without files has no summaries, and no folder of them.
    files.make_folder(run.summaries)
    return put_summary(run, REFERENCE, content, rows)


def _read_profile(
    run: RunFolder,
    summaries: Sequence[Entry],
) -> list[dict[str, Any]]:
    for entry in summaries:
        if entry["name"] == PROFILE:
            content = files.read(files.join(run.published, entry["path"])) or b""
            return decode_table(content).to_pylist()
    return []
