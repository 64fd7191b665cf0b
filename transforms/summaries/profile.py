"""A profile of the run: of each column of the model's contract, of chosen ones, and of each score.

How many rows are missing, NaN, infinite, or out of the range that training had; minimum, maximum, mean,
deviation; counts between training's quantiles, or by the first bits of numbers where it says nothing;
values with how many rows have each; lengths of texts, binary values and lists; brightness of pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pyarrow import Schema, Table

from transforms.summaries.column import (
    ColumnState,
    measure_column,
    measure_pictures,
    merge_columns,
)
from transforms.summaries.profile_table import SCHEMA, from_table, to_table
from transforms.summaries.reference import Place, Reference
from transforms.summaries.summary import Columns, Kind

_State: TypeAlias = Mapping[Place, ColumnState]
# Of an array of pictures: rows, channels, height and width.
_PICTURE_AXES = 4


@dataclass(frozen=True)
class Profile:
    """The profile of some columns.

    Attributes:
        inputs: columns that are read; of scores all are looked at.
        reference: what their numbers and values are counted by.
    """

    inputs: tuple[str, ...]
    reference: Reference
    name = "profile"

    @property
    def schema(self) -> Schema:
        """Return the columns of its file."""
        return SCHEMA

    def of(self, kind: Kind, columns: Columns) -> _State:
        """Return what is known of some rows; see `Summary.of`."""
        if kind == "network":
            return _measure_network(columns)
        names = self.inputs if kind == "input" else tuple(columns)
        state: dict[Place, ColumnState] = {}
        for name in names:
            value = self.reference.find(kind, name, "value")
            length = self.reference.find(kind, name, "length")
            measured = measure_column(columns[name], value, length)
            for measure, column_state in measured.items():
                state[kind, name, measure] = column_state
        return state

    def merge(self, first: _State, second: _State) -> _State:
        """Return what is known of the rows of both; see `Summary.merge`."""
        merged = dict(first)
        for place, state in second.items():
            # Inputs and scores of a batch are measured one after the other.
            before = merged.get(place)
            merged[place] = state if before is None else merge_columns(before, state)
        return merged

    def write(self, state: _State) -> Table:
        """Return a row for each measure of a column; see `Summary.write`."""
        return to_table(state, self.reference)

    def read(self, table: Table) -> _State:
        """Return what was written; see `Summary.read`."""
        return from_table(table)


def _measure_network(arrays: Columns) -> _State:
    """Return what is known of pictures; all else that the network takes was read as columns."""
    state: dict[Place, ColumnState] = {}
    for name, array in arrays.items():
        if array.ndim == _PICTURE_AXES:
            state["network", name, "brightness"] = measure_pictures(array)
    return state


def make_profile(inputs: Sequence[str], reference: Reference) -> Profile:
    """Return the profile of a run.

    Args:
        inputs: names of columns that are read.
        reference: what is known of columns before the run.
    """
    return Profile(tuple(inputs), reference)
