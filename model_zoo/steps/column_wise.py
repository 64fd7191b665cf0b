"""Columns one after the other through the last steps, into the array that the network takes.

    a    fill, standardise    line 0 of the stacked array
    b    fill, one_hot        lines 1 to 8
    c                         line 9

Step by step, each would leave all columns of a batch in memory once more, and the next would find none
of them in a cache. Steps that make each of their columns of that column alone say so
(`is_column_wise`); those right before a stack go this way where nothing follows it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import takewhile
import threading
from typing import Any, TypeAlias

from model_zoo.steps.arrays import count_numbers_of_row, get_column
from model_zoo.steps.columns import Columns, NewColumns

# The table of steps, which imports this file, knows their types.
_Steps: TypeAlias = tuple[Any, ...]
# By column, its lines of the stacked array; several where it is stacked several times.
_Places: TypeAlias = dict[str, list[slice]]


@dataclass(frozen=True)
class ColumnWise:
    """The last steps, planned column by column.

    Attributes:
        before: steps that go before them, all columns at once.
        steps: those that go column by column, but for the stack.
        stack: the last one.
        chains: by column, those of `steps` that change it, each for that column alone.
        kept: columns that somebody asks for as the steps leave them, beside the stacked ones.
    """

    before: _Steps
    steps: _Steps
    stack: Any
    chains: Mapping[str, _Steps]
    kept: Collection[str]

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the stacked columns, and those that are kept.

        Args:
            columns: as the steps before left them.
            rows: of each.

        Raises:
            RejectedRows, JobError, InputError: as `Step.apply`. Of a batch with several faults it
                may be another one than step by step.
        """
        given: NewColumns = {}
        for name in self.chains:
            given[name] = get_column(columns, name, self.stack.step)
        places, width = self._find_places(given)
        buffer = self.stack.make_buffer(width, rows)
        made: NewColumns = {}
        for name, chain in self.chains.items():
            column = given[name]
            for step in chain:
                changed = step.apply({name: column}, rows)
                column = changed[name]
            for lines in places.get(name, ()):
                self.stack.put(name, column, buffer[lines])
            if name in self.kept:
                made[name] = column
        # Last, as a stack may go by the name of a column.
        made[self.stack.into] = buffer.T
        return made

    def _find_places(self, given: Columns) -> tuple[_Places, int]:
        """Return the lines of each stacked column, and how many there are of all."""
        widths = {name: count_numbers_of_row(column) for name, column in given.items()}
        for step in self.steps:
            made = step.count_numbers(widths)
            widths.update(made)
        places: _Places = {}
        start = 0
        for name in self.stack.columns:
            stop = start + widths[name]
            of_column = places.setdefault(name, [])
            of_column.append(slice(start, stop))
            start = stop
        return places, start


class _Last(threading.local):
    """What this thread has planned last: batch after batch goes through the same steps."""

    steps: _Steps | None = None
    wanted: Collection[str] = ()
    plan: ColumnWise | None = None


_last = _Last()


def plan_columns(steps: _Steps, wanted: Collection[str]) -> ColumnWise | None:
    """Return how steps go column by column, or None where the last ones do not.

    Args:
        steps: complete ones.
        wanted: the columns that are asked for once all have been applied.
    """
    is_known = _last.steps is steps and _last.wanted == wanted
    if not is_known:
        _last.plan = _plan(steps, wanted)
        _last.steps = steps
        _last.wanted = wanted
    return _last.plan


def _plan(steps: _Steps, wanted: Collection[str]) -> ColumnWise | None:
    if not steps or steps[-1].step != "stack":
        return None
    *others, stack = steps
    from_the_end = takewhile(_is_column_wise, reversed(others))
    together = tuple(from_the_end)[::-1]
    # A stack by itself leaves nothing behind.
    if not together:
        return None
    chains: dict[str, _Steps] = dict.fromkeys(stack.columns, ())
    changed: set[str] = set()
    for step in together:
        changed.update(step.columns)
        for name in step.columns:
            chain = chains.get(name, ())
            chains[name] = (*chain, step.narrow(name))
    before = len(others) - len(together)
    return ColumnWise(
        before=tuple(others[:before]),
        steps=together,
        stack=stack,
        chains=chains,
        kept=changed.intersection(wanted),
    )


def _is_column_wise(step: Any) -> bool:
    return bool(step.is_column_wise)
