"""The books of a run.

Which parts count, whether they balance, and whether too many rows were rejected.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from configs.errors import BudgetError, PublishError
from storage.run_folder import RunFolder
from transforms.batches import LEFT_OUT, ROW_COUNTS, WorkUnit, WrittenPart
from transforms.limits import count_allowed
from transforms.output.done_record import read_done_record
from transforms.output.many_requests import call_for_each
from transforms.shard_counts import add_counts

Parts: TypeAlias = list[WrittenPart]
# In the message of a unit without files, or whose files somebody removed.
NOT_WHOLE = "was not written whole"


def choose_parts(
    run: RunFolder,
    units: Sequence[WorkUnit],
    parts: Iterable[WrittenPart],
) -> Parts:
    """Return, for each unit, the parts that cover its rows exactly once.

    That is the recorded attempt; without a record, parts that fit together.

    Args:
        run: the run, whose done-records are read.
        units: all units of the plan.
        parts: what the workers have handed over, in any order, some of it twice.

    Raises:
        PublishError: a unit whose rows are not covered.
    """
    parts_by_unit: dict[int, Parts] = {}
    # Several attempts at a unit may have been handed over, and one attempt in several parts.
    for part in parts:
        parts_of_unit = parts_by_unit.setdefault(part.unit, [])
        parts_of_unit.append(part)

    read_record = partial(_read_record, run)
    records = call_for_each(run.output, read_record, units)
    chosen: Parts = []
    pairs = zip(units, records, strict=True)
    for unit, recorded in pairs:
        number = unit.index
        candidates = parts_by_unit.get(number, [])
        # A record decides, so that all launchers publish the same attempt.
        if recorded is not None:
            candidates = [recorded]
        cover = _find_cover(candidates, unit.first_row)
        if cover is None or not _has_rows(cover, unit):
            raise PublishError(
                f"{unit.shard}: unit {number} {NOT_WHOLE}, so nothing is published; "
                "run again to complete it"
            )
        chosen += cover
    return chosen


def list_row_counts(head: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what becomes of rows, as the books of a run name it.

    Rows are left out only of a run whose job says `source.where`; all others have no such count.

    Args:
        head: of the run's manifest.
    """
    job = head.get("job", {})
    source = job.get("source", {})
    if source.get("where") is None:
        return ROW_COUNTS
    return (*ROW_COUNTS, LEFT_OUT)


def balance(
    parts: Sequence[WrittenPart],
    counts: Sequence[str] = ROW_COUNTS,
) -> dict[str, int]:
    """Return the totals of rows in, scored, filtered and rejected.

    Args:
        parts: those that are published.
        counts: as `list_row_counts` gives them.

    Raises:
        PublishError: a part whose rows in are not the sum of the others.
    """
    totals = dict.fromkeys(counts, 0)
    for part in parts:
        rows_in = part.rows_in
        scored = part.rows_scored
        filtered = part.rows_filtered
        rejected = part.rows_rejected
        left_out = part.rows_left_out
        accounted = scored + filtered + rejected + left_out
        if rows_in != accounted:
            raise PublishError(
                f"unit {part.unit}: {rows_in} rows in, but {scored} scored + "
                f"{filtered} filtered + {rejected} rejected + {left_out} left out: "
                "rows were lost or doubled, so nothing is published"
            )
        for name in counts:
            totals[name] += getattr(part, f"rows_{name}")
    return totals


def check_budget(
    totals: Mapping[str, int],
    max_rejected_rows: int,
    max_rejected_percent: float,
    where: str = "",
) -> None:
    """Refuse a run with more rejected rows than the larger of both limits.

    Args:
        totals: rows `in` and `rejected`, and `left_out` where some were.
        max_rejected_rows: so many are allowed, however few rows came in.
        max_rejected_percent: so many of 100 rows are allowed, however many they are.
        where: where the rejected rows can be looked at, for the message.

    Raises:
        BudgetError: always when over budget.
    """
    # Of those that were to be scored.
    rows_in = totals["in"] - totals.get(LEFT_OUT, 0)
    rejected = totals["rejected"]
    if rejected > count_allowed(rows_in, max_rejected_rows, max_rejected_percent):
        raise BudgetError(
            f"{rejected} of {rows_in} rows were rejected, "
            f"but errors.max_rejected_rows is {max_rejected_rows} and "
            f"errors.max_rejected_percent {max_rejected_percent:g}: nothing is published; {where}"
        )


def _read_record(run: RunFolder, unit: WorkUnit) -> WrittenPart | None:
    return read_done_record(run, unit.index)


def _has_rows(cover: Sequence[WrittenPart], unit: WorkUnit) -> bool:
    """Tell whether parts have all rows of a unit, and of each of its shards."""
    covered = sum(part.rows_in for part in cover)
    counts_of_parts = [part.shards for part in cover]
    rows_of_shards = {number: rows_in for number, rows_in, *_ in add_counts(counts_of_parts)}
    for number, member in enumerate(unit.members):
        rows = rows_of_shards.get(number)
        # Of a CSV file that is read whole, nobody knows the rows before; but it was read.
        if rows is None or member.rows not in (None, rows):
            return False
    if unit.members and covered != sum(rows_of_shards.values()):
        return False
    return unit.rows in (None, covered)


def _find_cover(parts: Sequence[WrittenPart], first_row: int) -> Parts | None:
    """Return parts that stand end to end from `first_row` to one that ends the unit.

    None if there are none.
    """
    part_by_row = _find_fitting(parts)
    cover: Parts = []
    while first_row in part_by_row:
        part = part_by_row[first_row]
        cover.append(part)
        if part.last:
            return cover
        first_row += part.rows_in
    return None


def _find_fitting(parts: Sequence[WrittenPart]) -> dict[int, WrittenPart]:
    """Return the parts from which others lead to the end of the unit, by the row they begin with.

    From the last row to the first, a part fits if another one that fits begins where it ends. Of
    several that begin with the same row the longest is taken, then the first by name, so that all
    launchers choose alike.
    """
    fitting: dict[int, WrittenPart] = {}
    for part in sorted(parts, key=_rank_part):
        first_row = part.first_row
        next_row = first_row + part.rows_in
        # A part without rows would lead to itself, for ever.
        goes_on = next_row > first_row and next_row in fitting
        if part.last or goes_on:
            fitting.setdefault(first_row, part)
    return fitting


def _rank_part(part: WrittenPart) -> tuple[int, int, str]:
    return (-part.first_row, -part.rows_in, part.attempt)
