"""Step `graph`: a graph a row, of lists of nodes and edges, as arrays of one shape.

    nodes [[1.], [2.], [3.]]   edges [[0, 1], [1, 2]]   at most 4 nodes, 3 edges

    nodes 1. 2. 3. 0.          edges 0 1 -1             node_count 3
                                     1 2 -1

An edge must join two nodes of its own row: many graphs are computed as one, in which another number
would be another row's node.
"""

from math import prod
from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
from pydantic import Field

from configs.fields import Names
from model_zoo.steps.arrays import Padding, pad_lists, reject_where
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.step import Length, StepModel, Widths

# Where no edge is.
NO_EDGE = -1

# Two columns of ends, or one of pairs.
EdgeColumns: TypeAlias = Annotated[Names, Field(min_length=1, max_length=2)]
_Lengths: TypeAlias = tuple[Length, ...]
# How many nodes, and the numbers of each where they are vectors.
NodesShape: TypeAlias = Annotated[_Lengths, Field(min_length=1, max_length=2)]
# The numbers of an edge where they are vectors.
AttributesShape: TypeAlias = Annotated[_Lengths, Field(max_length=1)]
_Shape: TypeAlias = tuple[int, ...]
_Flags: TypeAlias = np.ndarray


class _Padded(NamedTuple):
    """Lists of one length, and which of their places are filled.

    Attributes:
        items: (rows, length, ...).
        mask: bool (rows, length).
    """

    items: np.ndarray
    mask: _Flags


class _Edges(NamedTuple):
    """The numbers of the nodes that edges lead from and to, and which edges are there.

    Attributes:
        ends: int64 (rows, 2, most_edges).
        has_edge: bool (rows, most_edges).
    """

    ends: np.ndarray
    has_edge: _Flags


class Graph(StepModel):
    """Make graphs of columns of lists: nodes, edges, and what is known of each edge.

    `nodes` names a column of a vector, or a number, for each node; `edges` two columns of the numbers
    of nodes that edges lead from and to, or one column of such pairs; `attributes` a column of a
    vector, or a number, for each edge. The shapes say how many nodes and edges a row has at most,
    and how long the vectors are. A row with more, or with an edge to a node that it has not, is
    rejected.
    """

    step: Literal["graph"]
    nodes: str
    edges: EdgeColumns
    attributes: str | None = None
    nodes_shape: NodesShape
    most_edges: Length
    attributes_shape: AttributesShape = ()
    nodes_into: str = "x"
    edges_into: str = "edge_index"
    count_into: str = "node_count"
    attributes_into: str = "edge_attr"

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return nodes (rows, *nodes_shape), edges int64 (rows, 2, most_edges), and nodes of each row.

        Raises:
            RejectedRows: rows with too many nodes or edges, or with an edge that is none.
            JobError: a column holds no such lists.
        """
        nodes = _pad(columns, self.nodes, self.nodes_shape)
        # Of each row.
        count = nodes.mask.sum(axis=1)
        ends, has_edge = self._take_edges(columns)
        self._reject_edges(ends, has_edge, count)
        # The same for both ends.
        has_ends = has_edge[:, None, :]
        edges = np.where(has_ends, ends, NO_EDGE)
        made: NewColumns = {
            self.nodes_into: nodes.items,
            self.edges_into: edges,
            self.count_into: count.astype(np.int64),
        }
        attributes = self.attributes
        if attributes is not None:
            shape = (self.most_edges, *self.attributes_shape)
            known = _pad(columns, attributes, shape)
            self._reject_uneven(attributes, known.mask, has_edge)
            made[self.attributes_into] = known.items
        return made

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        made = {
            self.nodes_into: prod(self.nodes_shape),
            # Both ends of each.
            self.edges_into: 2 * self.most_edges,
            self.count_into: 1,
        }
        if self.attributes is not None:
            width = prod(self.attributes_shape)
            numbers = self.most_edges * width
            made[self.attributes_into] = numbers
        return made

    def list_columns(self) -> Names:
        """Return the names of the columns that the graph is made of, without those that it makes."""
        named = [self.nodes, *self.edges]
        attributes = self.attributes
        if attributes:
            named.append(attributes)
        made = (
            self.nodes_into,
            self.edges_into,
            self.count_into,
            self.attributes_into,
        )
        taken = [name for name in named if name not in made]
        return tuple(taken)

    def _take_edges(self, columns: Columns) -> _Edges:
        """Return the ends of edges, and which are there."""
        first_name, *others = self.edges
        if not others:
            shape = (self.most_edges, 2)
            pairs = _pad(columns, first_name, shape)
            # (rows, most_edges, 2) -> (rows, 2, most_edges), as networks of graphs take edges.
            ends = pairs.items.transpose(0, 2, 1)
            whole = _to_whole(first_name, ends)
            return _Edges(whole, pairs.mask)

        (second_name,) = others
        length = (self.most_edges,)
        sources = _pad(columns, first_name, length)
        targets = _pad(columns, second_name, length)
        has_edge = sources.mask
        self._reject_uneven(second_name, targets.mask, has_edge)
        from_nodes = _to_whole(first_name, sources.items)
        to_nodes = _to_whole(second_name, targets.items)
        both = [from_nodes, to_nodes]
        ends = np.stack(both, axis=1)
        return _Edges(ends, has_edge)

    def _reject_edges(
        self,
        ends: np.ndarray,
        has_edge: _Flags,
        count: np.ndarray,
    ) -> None:
        # One for both ends of every edge.
        nodes = count[:, None, None]
        is_below = ends < 0
        is_beyond = ends >= nodes
        is_outside = is_below | is_beyond
        either = is_outside.any(axis=1)
        # Padding is 0, which is no node of a row without any: that is no fault of the row.
        is_bad = either & has_edge
        quoted = map(repr, self.edges)
        names = " and ".join(quoted)
        reject_where(is_bad, f"column {names}: an edge to a node that the row has not")

    def _reject_uneven(self, name: str, mask: _Flags, has_edge: _Flags) -> None:
        edges = self.edges[0]
        why = f"column {name!r}: not as many items as column {edges!r} has edges"
        is_uneven = mask != has_edge
        reject_where(is_uneven, why)


def _pad(columns: Columns, name: str, shape: _Shape) -> _Padded:
    """Return a column's lists.

    Args:
        columns: all columns, by name.
        name: of the column.
        shape: that each list becomes.
    """
    padding = Padding(name, shape)
    padded = pad_lists(columns, padding)
    mask = padded.make_mask()
    return _Padded(padded.items, mask)


def _to_whole(name: str, ends: np.ndarray) -> np.ndarray:
    """Return numbers of nodes as int64.

    Raises:
        RejectedRows: rows with one that is not whole.
    """
    # numpy warns of numbers that no int64 can be; they are rejected below.
    with np.errstate(invalid="ignore"):
        whole = ends.astype(np.int64)
    is_cut = whole != ends
    reject_where(is_cut, f"column {name!r}: a number of a node that is not whole")
    return whole
