"""What is computed beside the scores, while rows pass: a state of each batch, which merge to one of the run.

    columns of a batch -> state -> merged in a part -> file of the part -> merged as the run is published

A state is a function of the rows alone, whatever their order, and however they were cut: so a run ends
with the same bytes whatever the number of workers. What a sum of floats rounds is rounded in a batch,
and batches are cut alike by all workers.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import pyarrow as pa
from pyarrow import Table

from storage.parquet_depth import open_parquet
from transforms.summaries.chosen_rows import RowPlaces

# Columns as they were read, with all rows; what the network takes, and score columns, of those rows that
# were not rejected before.
Kind: TypeAlias = Literal["input", "network", "score"]
# Arrow's arrays, and of what the network takes numpy's: (rows, ...).
Columns: TypeAlias = Mapping[str, Any]
# What a summary makes of it is its own.
State: TypeAlias = Any
# One for each summary of a run, in their order; nothing where no rows were seen.
States: TypeAlias = tuple[State, ...]


class Summary(Protocol):
    """Something that is known of rows: a file in this folder, and its line in `table.py`."""

    @property
    def name(self) -> str:
        """Return the word of the job, which is part of file names."""

    def of(self, kind: Kind, columns: Columns, places: RowPlaces | None = None) -> State:
        """Return the state of some rows.

        Args:
            kind: what the columns are.
            columns: by name, of one length.
            places: where the rows come from; None of rows from anywhere.
        """

    def merge(self, first: State, second: State) -> State:
        """Return the state of the rows of two states, in whichever order."""

    def write(self, state: State) -> Table:
        """Return a state as a table, all of it: `read` makes the same one of it."""

    def read(self, table: Table) -> State:
        """Return the state that `write` made a table of.

        Raises:
            ValueError: it is none.
        """


@runtime_checkable
class StoredSummary(Protocol):
    """A summary whose states are too large to be merged in memory as a run is published."""

    def merge_stored(self, urls: Sequence[str]) -> Table:
        """Return what is told of the run.

        Args:
            urls: of the files that `write` was stored in, in whichever order.
        """


Summaries: TypeAlias = Sequence[Summary]


class NamedTable(NamedTuple):
    """What a summary writes, by its word."""

    name: str
    table: Table


def summarise(
    summaries: Summaries,
    kind: Kind,
    columns: Columns,
    places: RowPlaces | None = None,
) -> States:
    """Return the states of some rows.

    Args:
        summaries: all of the run.
        kind: what the columns are.
        columns: by name.
        places: where the rows come from; None of rows from anywhere.
    """
    return tuple(summary.of(kind, columns, places) for summary in summaries)


def merge_states(summaries: Summaries, first: States, second: States) -> States:
    """Return the states of the rows of two.

    Args:
        summaries: all of the run.
        first, second: states; nothing of no rows.
    """
    if not first or not second:
        return first or second
    merged = []
    for summary, one, other in zip(summaries, first, second, strict=True):
        merged.append(summary.merge(one, other))
    return tuple(merged)


def write_states(summaries: Summaries, states: States) -> Iterator[NamedTable]:
    """Yield the tables of states.

    Args:
        summaries: all of the run.
        states: one for each; nothing of no rows.
    """
    if not states:
        return
    for summary, state in zip(summaries, states, strict=True):
        yield NamedTable(summary.name, summary.write(state))


def decode_table(content: bytes) -> Table:
    """Return the table of a small Parquet file.

    Args:
        content: the file's.

    Raises:
        pyarrow.ArrowException, OSError: it is no Parquet file.
    """
    # `read_table` imports datasets, which takes longer than all files of a run, and other threads
    # than this one take longer to begin than to read.
    return open_parquet(pa.BufferReader(content)).read(use_threads=False)
