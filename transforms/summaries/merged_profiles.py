"""Profiles of several runs -> one, of the rows of all of them."""

from collections.abc import Mapping, Sequence
from functools import reduce
from math import inf
from typing import Any, TypeAlias

from pyarrow import Table

from transforms.summaries.column import ColumnState, merge_columns
from transforms.summaries.known import Known
from transforms.summaries.numbers import CutPoints
from transforms.summaries.profile_schema import SCHEMA
from transforms.summaries.profile_table import from_table, to_table
from transforms.summaries.reference import Place, Reference

_States: TypeAlias = Mapping[Place, ColumnState]


def merge_profiles(tables: Sequence[Table]) -> tuple[Table, int]:
    """Return the profile of all rows, and how many profiles are left out.

    Only those merge that count by the cut points of the first one.

    Args:
        tables: profiles, at least one of which decides.
    """
    if not tables:
        return SCHEMA.empty_table(), 0
    first = tables[0]
    cuts = _read_cuts(first)
    alike = [table for table in tables if _read_cuts(table) == cuts]
    left_out = len(tables) - len(alike)
    # As it is, with what no states hold.
    if len(alike) == 1:
        return first, left_out
    all_states: list[_States] = [from_table(table) for table in alike]
    states = reduce(_merge_states, all_states)
    return to_table(states, _read_reference(first)), left_out


def _merge_states(first: _States, second: _States) -> _States:
    merged = dict(first)
    # Columns that only some of the runs looked at stand with the rows of these.
    for place, state in second.items():
        before = merged.get(place)
        merged[place] = state if before is None else merge_columns(before, state)
    return merged


def _read_cuts(table: Table) -> dict[Place, Any]:
    cuts = {}
    for record in table.to_pylist():
        place = _find_place(record)
        cuts[place] = record["cut_points"]
    return cuts


def _read_reference(table: Table) -> Reference:
    known = {}
    for record in table.to_pylist():
        place = _find_place(record)
        known[place] = Known(_read_points(record), _read_known_values(record))
    return Reference(known)


def _read_points(record: Mapping[str, Any]) -> CutPoints | None:
    points = record["cut_points"]
    if points is None:
        return None
    # The range is told by counts alone from here on.
    return CutPoints(-inf, inf, tuple(points))


def _read_known_values(record: Mapping[str, Any]) -> frozenset[str] | None:
    """Return whether values were known to be new ones: which were known is told by counts alone."""
    if record["new"] is None:
        return None
    return frozenset()


def _find_place(record: Mapping[str, Any]) -> Place:
    return record["kind"], record["column"], record["measure"]
