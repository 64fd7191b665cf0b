"""Where one of a file's row groups, record batches or stripes is broken: which rows can be read behind it.

A unit has some that follow each other, and its span begins with the number of the first one, and how many they
are.

    unit    0 ... 99 | 100 ... 199 | 200 ... 299        span (7, 3); row 150 cannot be read
    parts                150 . 199 | 200 ... 299        (8, 1, 50) and (9, 1), each by itself
    rest                             200 ... 299        (9, 1)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from configs.errors import InputError
from transforms.batches import WorkUnit


@runtime_checkable
class FindsRest(Protocol):
    """A format whose files can be read on behind rows that cannot be read."""

    def find_rest(self, unit: WorkUnit, rows_done: int) -> WorkUnit | None:
        """Return the rows of a unit from the next place on at which reading may begin.

        Args:
            unit: the unit, cut by the same format.
            rows_done: how many of its rows came; the next one cannot be read.

        Returns:
            Rows behind that one, up to the end of the unit; None where there is no such place.

        Raises:
            InputError: the file cannot be looked at.
        """


def find_rest(format: object, unit: WorkUnit, rows_done: int) -> WorkUnit | None:
    """Return the rows of a unit from the next place on at which reading may begin; see `FindsRest`.

    Args:
        format: how the unit is read, a `Format`.
        unit: the unit.
        rows_done: how many of its rows came; the next one cannot be read.

    Raises:
        InputError: the file cannot be looked at.
    """
    if isinstance(format, FindsRest):
        return format.find_rest(unit, rows_done)
    return None


def list_parts(unit: WorkUnit, counts: Sequence[int], rows_done: int) -> list[WorkUnit]:
    """Return what is left of a unit, each stored part by itself.

    The first one may begin inside a part: its span has a third number then, of its first row there.

    Args:
        unit: the unit.
        counts: rows of each of its parts.
        rows_done: rows of the unit that were read.

    Raises:
        InputError: the parts have other rows than the unit, so they are of another file than was planned.
    """
    if sum(counts) != unit.rows:
        raise InputError(
            f"{unit.shard}: {unit.rows} rows were planned from row {unit.first_row} on, and there are "
            f"{sum(counts)} now; start the run again"
        )
    parts = []
    first, *_ = unit.span
    begin = 0
    for number, rows in enumerate(counts, first):
        stop = begin + rows
        done_here = max(0, rows_done - begin)
        if done_here < rows:
            span = (number, 1, done_here) if done_here else (number, 1)
            part = replace(
                unit,
                span=span,
                first_row=unit.first_row + begin + done_here,
                rows=rows - done_here,
            )
            parts.append(part)
        begin = stop
    return parts


def skip_part(unit: WorkUnit, counts: Sequence[int], rows_done: int) -> WorkUnit | None:
    """Return what is left of a unit behind the stored part whose next row cannot be read; None where nothing is.

    Args:
        unit: the unit.
        counts: rows of each of its parts.
        rows_done: rows of the unit that were read.

    Raises:
        InputError: as `list_parts`.
    """
    others = list_parts(unit, counts, rows_done)[1:]
    if not others:
        return None
    nearest = others[0]
    number, *_ = nearest.span
    first, *_ = unit.span
    # Up to the last part of the unit, as parts without rows may stand between the others.
    count = first + len(counts) - number
    return replace(
        nearest,
        span=(number, count),
        rows=sum(part.rows or 0 for part in others),
    )
