"""Step `graph`: a graph a row, of lists of nodes and edges, as arrays of one shape.

    nodes [[1.], [2.], [3.]]   edges [[0, 1], [1, 2]]   at most 4 nodes, 3 edges

    nodes 1. 2. 3. 0.          edges 0 1 -1             node_count 3
                                     1 2 -1

An edge must join two nodes of its own row: many graphs are computed as one, in which another number
would be another row's node.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from model_zoo.steps.arrays import reject_where
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.pad import Length, Pad
from model_zoo.steps.step import StepModel, Widths

# Where no edge is.
NO_EDGE = -1
_ITEMS, _MASK = "items", "mask"


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
    edges: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)]
    attributes: str | None = None
    nodes_shape: Annotated[tuple[Length, ...], Field(min_length=1, max_length=2)]
    most_edges: Length
    attributes_shape: Annotated[tuple[Length, ...], Field(max_length=1)] = ()
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
        nodes, has_node = self._pad(columns, rows, self.nodes, self.nodes_shape)
        count = has_node.sum(axis=1)
        ends, has_edge = self._take_edges(columns, rows)
        self._reject_edges(ends, has_edge, count)
        made: NewColumns = {
            self.nodes_into: nodes,
            self.edges_into: np.where(has_edge[:, None, :], ends, NO_EDGE),
            self.count_into: count.astype(np.int64),
        }
        if self.attributes is not None:
            shape = (self.most_edges, *self.attributes_shape)
            known, is_known = self._pad(columns, rows, self.attributes, shape)
            self._reject_uneven(self.attributes, is_known, has_edge)
            made[self.attributes_into] = known
        return made

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        made = {
            self.nodes_into: int(np.prod(self.nodes_shape, dtype=object)),
            self.edges_into: 2 * self.most_edges,
            self.count_into: 1,
        }
        if self.attributes is not None:
            width = int(np.prod(self.attributes_shape, dtype=object))
            made[self.attributes_into] = self.most_edges * width
        return made

    def list_columns(self) -> tuple[str, ...]:
        """Return the names of the columns that the graph is made of, without those that it makes."""
        named = (self.nodes, *self.edges, *([self.attributes] if self.attributes else []))
        made = (self.nodes_into, self.edges_into, self.count_into, self.attributes_into)
        return tuple(name for name in named if name not in made)

    def _pad(
        self, columns: Columns, rows: int, name: str, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a column's lists, (rows, *shape), and which places they fill, bool (rows, shape[0])."""
        step = Pad(step="pad", column=name, shape=shape, into=_ITEMS, mask_into=_MASK)
        made = step.apply(columns, rows)
        return np.asarray(made[_ITEMS]), np.asarray(made[_MASK])

    def _take_edges(self, columns: Columns, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of edges, int64 (rows, 2, most_edges), and which are there."""
        if len(self.edges) == 1:
            pairs, has_edge = self._pad(columns, rows, self.edges[0], (self.most_edges, 2))
            return _to_whole(self.edges[0], pairs.transpose(0, 2, 1)), has_edge
        source, target = self.edges
        sources, has_edge = self._pad(columns, rows, source, (self.most_edges,))
        targets, has_target = self._pad(columns, rows, target, (self.most_edges,))
        self._reject_uneven(target, has_target, has_edge)
        ends = np.stack([_to_whole(source, sources), _to_whole(target, targets)], axis=1)
        return ends, has_edge

    def _reject_edges(self, ends: np.ndarray, has_edge: np.ndarray, count: np.ndarray) -> None:
        is_outside = (ends < 0) | (ends >= count[:, None, None])
        is_bad = is_outside.any(axis=1) & has_edge
        names = " and ".join(map(repr, self.edges))
        reject_where(is_bad, f"column {names}: an edge to a node that the row has not")

    def _reject_uneven(self, name: str, mask: np.ndarray, has_edge: np.ndarray) -> None:
        why = f"column {name!r}: not as many items as column {self.edges[0]!r} has edges"
        reject_where(mask != has_edge, why)


def _to_whole(name: str, ends: np.ndarray) -> np.ndarray:
    """Return numbers of nodes as int64.

    Raises:
        RejectedRows: rows with one that is not whole.
    """
    with np.errstate(invalid="ignore"):
        whole = ends.astype(np.int64)
    reject_where(whole != ends, f"column {name!r}: a number of a node that is not whole")
    return whole
