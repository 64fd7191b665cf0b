"""What was counted of checks, read as it was published, and the checks that are not met."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import pyarrow as pa

from model_zoo.evaluation.findings import Finding
from storage import files
from storage.run_folder import RunFolder
from transforms.checks.check_counts import CheckCounts
from transforms.checks.findings import judge_counts, judge_unique
from transforms.checks.unique_values import UniqueValues
from transforms.summaries.summary import Summaries, decode_table

# A file as the manifest lists it.
Entry: TypeAlias = dict[str, Any]


def find_unmet_checks(
    run: RunFolder,
    summaries: Summaries,
    summarised: Mapping[str, Sequence[Entry]],
    planned_at: str,
) -> list[Finding]:
    """Return the checks that are not met; nothing of most jobs, which have none.

    Args:
        run: the run, among whose published files the counts are.
        summaries: what was computed beside the scores.
        summarised: entries of the merged summaries, as `summaries`.
        planned_at: when the run was, as the manifest has it.
    """
    entries = summarised.get("summaries", ())
    paths = {entry["name"]: entry["path"] for entry in entries}
    findings: list[Finding] = []
    for summary in summaries:
        # A table without files has no summaries.
        path = paths.get(summary.name)
        if path is None or not isinstance(summary, CheckCounts | UniqueValues):
            continue
        table = _read(run, path)
        moment = datetime.fromisoformat(planned_at)
        findings += _judge(summary, table, moment)
    return findings


def _judge(
    summary: CheckCounts | UniqueValues,
    table: pa.Table,
    planned_at: datetime,
) -> Iterator[Finding]:
    if isinstance(summary, CheckCounts):
        counts = summary.read(table)
        return judge_counts(summary, counts, planned_at)
    (record,) = table.to_pylist()
    return judge_unique(summary, record["rows"], record["repeated"])


def _read(run: RunFolder, path: str) -> pa.Table:
    url = files.join(run.published, path)
    content = files.read(url)
    if content is None:
        raise FileNotFoundError(f"{url}: somebody removed it")
    return decode_table(content)
