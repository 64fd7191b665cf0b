"""A profile of the run: of each column of the model's contract, of chosen ones, and of each score.

How many rows are missing, NaN, infinite, or out of the range that training had; minimum, maximum, mean,
deviation; counts between training's quantiles, or by the first bits of numbers where it says nothing;
values with how many rows have each; lengths of texts, binary values and lists; brightness of pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pyarrow import Table

from model_zoo.package.card import InputColumn
from model_zoo.steps.image import Image
from model_zoo.steps.table import AnyStep
from transforms.preprocess_rows import to_plain_columns
from transforms.summaries.chosen_rows import (
    MOST_WHOLE_ROWS,
    ChosenRows,
    RowPlaces,
    choose_rows,
)
from transforms.summaries.column import (
    ColumnState,
    measure_column,
    measure_pictures,
    measure_sizes,
    merge_columns,
)
from transforms.summaries.profile_table import from_table, to_table
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
        moments: rules of the model's contract for dates and times, which it makes numbers of.
        pictures: the steps that decode columns of pictures.
        most_whole_rows: of larger units the numbers of some rows are counted; None where all are.
    """

    inputs: tuple[str, ...]
    reference: Reference
    moments: tuple[InputColumn, ...] = ()
    pictures: tuple[Image, ...] = ()
    most_whole_rows: int | None = MOST_WHOLE_ROWS
    name = "profile"

    def of(self, kind: Kind, columns: Columns, places: RowPlaces | None = None) -> _State:
        """Return what is known of some rows; see `Summary.of`."""
        if kind == "network":
            return _measure_network(columns)
        chosen = None if places is None else choose_rows(places, self.most_whole_rows)
        if kind == "score":
            return self._measure_columns(kind, columns, tuple(columns), chosen)
        if self.moments:
            numbers = to_plain_columns(columns, self.moments)
            columns = {**columns, **numbers}
        of_columns = self._measure_columns(kind, columns, self.inputs, chosen)
        of_pictures = self._measure_pictures(columns)
        return {**of_columns, **of_pictures}

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

    def _measure_columns(
        self,
        kind: Kind,
        columns: Columns,
        names: Sequence[str],
        chosen: ChosenRows | None,
    ) -> _State:
        """Return what is known of the values of some columns."""
        state: dict[Place, ColumnState] = {}
        for name in names:
            value = self.reference.find(kind, name, "value")
            length = self.reference.find(kind, name, "length")
            measured = measure_column(columns[name], value, length, chosen)
            for measure, column_state in measured.items():
                state[kind, name, measure] = column_state
        return state

    def _measure_pictures(self, columns: Columns) -> _State:
        """Return what is known of pictures as they are stored."""
        state: dict[Place, ColumnState] = {}
        for step in self.pictures:
            measured = measure_sizes(columns[step.column], step.max_pixels)
            for measure, column_state in measured.items():
                state["input", step.column, measure] = column_state
        return state


def _measure_network(arrays: Columns) -> _State:
    """Return what is known of pictures; all else that the network takes was read as columns."""
    state: dict[Place, ColumnState] = {}
    for name, array in arrays.items():
        if array.ndim == _PICTURE_AXES:
            state["network", name, "brightness"] = measure_pictures(array)
    return state


def make_profile(
    inputs: Sequence[str],
    reference: Reference,
    contract: Sequence[InputColumn] = (),
    steps: Sequence[AnyStep] = (),
    every_row: bool = False,
) -> Profile:
    """Return the profile of a run.

    Args:
        inputs: names of columns that are read.
        reference: what is known of columns before the run.
        contract: every model column.
        steps: what the columns go through.
        every_row: whether all numbers of large units are counted, too.
    """
    moments = [rule for rule in contract if rule.number is not None]
    decoding = [step for step in steps if isinstance(step, Image)]
    # What another step has made was not read.
    pictures = [step for step in decoding if step.column in inputs]
    return Profile(
        tuple(inputs),
        reference,
        tuple(moments),
        tuple(pictures),
        None if every_row else MOST_WHOLE_ROWS,
    )
