"""The rows of a batch that fail a check whose `on_failure` is `reject`."""

from collections.abc import Mapping, Sequence

from pyarrow import Array

from configs.errors import RejectedRows, RowError
from transforms.checks.column_check import ColumnCheck


def find_failed_rows(
    checks: Sequence[ColumnCheck],
    columns: Mapping[str, Array],
) -> RejectedRows | None:
    """Return the rows that fail a check, with why; None where all pass.

    Args:
        checks: what a row must pass. Of a row that fails several, the first is told.
        columns: at least those of the checks, by name.
    """
    reasons: dict[int, Exception] = {}
    for check in checks:
        failed = check.find_failed(columns[check.column])
        reason = RowError(f"column {check.column!r}: {check.says}")
        for position in failed.tolist():
            reasons.setdefault(position, reason)
    if not reasons:
        return None
    return RejectedRows(reasons)
