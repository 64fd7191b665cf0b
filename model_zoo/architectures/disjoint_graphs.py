"""A network of graphs, as torch_geometric has them, called on a mini-batch of rows with a graph each.

    rows (2, 3 nodes) and edges      one graph of 2 x 3 nodes in which no edge leads from row to row
    0 1 2    0-1 1-2                 0 1 2 | 3 4 | 5 6 7       edges 0-1 1-2 | 3-4 | 6-7
    0 1 .    0-1 .                   batch 0 0 0 | 1 1 | 2 2 2

Room for nodes and edges that a row has not is kept, in a graph of its own behind the last row (above:
batch 2, since layers expect its numbers in order). So every mini-batch has one shape, in which a
row's score has the same bits whichever rows are beside it; a matrix product rounds differently for
other shapes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model_zoo.architectures.named_tensors import Outputs, Tensors, name_tensors
from model_zoo.package.card import GraphInputs

# An edge between two, so that a layer that takes a node's edges to itself away counts none of them.
_SPARE_NODES = 2
# A row with no node has a mean of 0, as torch_geometric says.
_FEWEST_NODES = 1


class DisjointGraphs(nn.Module):
    """Calls the author's network on one graph of all rows, and gives what it says of each row.

    Numbers that the network gives for nodes are pooled, or put in a row's places with zeros behind
    them.

    Args:
        network: the author's, called by keywords.
        graph: which inputs make up the graph.
        outputs: names of what is wanted, as for `name_tensors`.
    """

    def __init__(
        self,
        network: nn.Module,
        graph: GraphInputs,
        outputs: Sequence[str],
    ) -> None:
        super().__init__()
        self.network = network
        self._graph = graph
        self._outputs = tuple(outputs)

    def forward(self, **tensors: Tensor) -> Outputs:
        graph = self._graph
        nodes = tensors[graph.nodes]
        count = tensors[graph.count]
        most_nodes = nodes.shape[1]
        places = torch.arange(most_nodes, device=nodes.device)
        has_node = places < count[:, None]
        order = _sort_nodes(has_node)
        joined = _join(tensors, graph, has_node, order)
        returned = self.network(**joined)
        named = name_tensors(returned, self._outputs)
        place = _invert(order)
        outputs: Outputs = {}
        for name, output in named.items():
            outputs[name] = self._split(name, output, has_node, place)
        return outputs

    def _split(
        self,
        name: str,
        output: Tensor,
        has_node: Tensor,
        place: Tensor,
    ) -> Tensor:
        """Return what an output says of each row, (rows, ...)."""
        rows, most_nodes = has_node.shape
        given = len(output)
        # One for each graph, and the spare nodes are a graph of their own.
        if given == rows + 1:
            return output[:rows]
        nodes = rows * most_nodes + _SPARE_NODES
        if given != nodes:
            raise ValueError(
                f"{name} has {given} numbers for {rows} graphs; a network of graphs gives one "
                "for each graph of the batch vector, or one for each node"
            )
        # (nodes of all rows, ...) -> (rows, nodes, ...); no place is that of a spare node.
        in_order = output[place]
        of_each_node = output.shape[1:]
        of_rows = in_order.reshape(rows, most_nodes, *of_each_node)
        return pool_nodes(of_rows, has_node, self._graph.pool)


def pool_nodes(output: Tensor, has_node: Tensor, pool: str | None) -> Tensor:
    """Return numbers of nodes pooled, (rows, ...); or, without a pool, as they are with zeros.

    Args:
        output: (rows, nodes, ...).
        has_node: bool (rows, nodes).
        pool: `sum`, `mean`, `max`, or None.
    """
    # Dimensions of size 1, for what there is for each node.
    beyond = [1] * (output.ndim - 2)
    of_numbers = has_node.reshape(*has_node.shape, *beyond)
    is_padding = ~of_numbers
    cleared = output.masked_fill(is_padding, 0)
    if pool is None:
        return cleared
    if pool == "max":
        # Not zeros: all numbers of a row may be below 0.
        lowered = output.masked_fill(is_padding, -torch.inf)
        largest = lowered.amax(1)
        has_none = is_padding.all(1)
        return largest.masked_fill(has_none, 0)
    total = cleared.sum(1)
    if pool == "sum":
        return total
    count = has_node.sum(1)
    divisor = count.clamp(min=_FEWEST_NODES)
    divisor = divisor.reshape(-1, *beyond)
    return total / divisor


def _sort_nodes(has_node: Tensor) -> Tensor:
    """Return the places of all rows, those that have a node first, row by row."""
    is_padding = ~has_node
    # Sorted as numbers, and stable: nodes that are there stay in their order.
    keys = is_padding.flatten().to(torch.uint8)
    return torch.argsort(keys, stable=True)


def _join(
    tensors: Tensors,
    graph: GraphInputs,
    has_node: Tensor,
    order: Tensor,
) -> Outputs:
    """Return the network's arguments for one graph of all rows.

    Args:
        tensors: inputs by name, (rows, ...).
        graph: which of them are the graph.
        has_node: bool (rows, nodes).
        order: which place of all rows' each node of the one graph comes from.
    """
    joined: Outputs = {}
    for name, tensor in tensors.items():
        if name == graph.count:
            continue
        if name == graph.edges:
            joined[name] = _join_edges(tensor, has_node, order)
        elif name == graph.nodes:
            of_all_rows = tensor.flatten(0, 1)
            in_order = of_all_rows[order]
            joined[name] = _append_zeros(in_order, _SPARE_NODES)
        elif name == graph.attributes:
            joined[name] = tensor.flatten(0, 1)
        else:
            # What is known of a whole graph: something for the one behind the last row, too.
            first = tensor[:1]
            joined[name] = torch.cat([tensor, first])
    if graph.batch is not None:
        joined[graph.batch] = _number_rows(has_node, order)
    return joined


def _number_rows(has_node: Tensor, order: Tensor) -> Tensor:
    """Return the batch vector: which row each node is of, int64 (nodes,).

    Args:
        has_node: bool (rows, nodes).
        order: as for `_join`.
    """
    rows = len(has_node)
    row = torch.arange(rows, device=has_node.device)
    column = row[:, None]
    # Places without a node belong to the graph behind the last row.
    of_places = torch.where(has_node, column, rows)
    numbers = of_places.flatten()[order]
    spare = numbers.new_full((_SPARE_NODES,), rows)
    return torch.cat([numbers, spare])


def _join_edges(edges: Tensor, has_node: Tensor, order: Tensor) -> Tensor:
    """Return edges between the nodes of all rows, int64 (2, rows * edges).

    Args:
        edges: (rows, 2, edges) between the nodes of a row; -1 where there is none.
        has_node: bool (rows, nodes).
        order: as for `_join`.
    """
    rows, most_nodes = has_node.shape
    device = edges.device
    count = has_node.sum(1)
    is_below = edges < 0
    is_none = is_below.any(1, keepdim=True)
    is_beyond = edges >= count[:, None, None]
    is_outside = is_beyond & ~is_none
    # The step that makes edges rejects such rows; a package may lack that step.
    if bool(is_outside.any()):
        raise ValueError("an edge to a node that the row has not")
    row = torch.arange(rows, device=device)
    first = row * most_nodes
    # -1 is no place to look up; what is found at 0 instead is not taken.
    within_row = edges.clamp(min=0)
    ends = within_row + first[:, None, None]
    place = _invert(order)
    placed = place[ends]
    # An edge that is none leads from one spare node to the other.
    spare_node = torch.arange(_SPARE_NODES, device=device)
    spare = rows * most_nodes + spare_node
    joined = torch.where(is_none, spare[:, None], placed)
    # (rows, 2, edges) -> (2, rows * edges)
    by_end = joined.transpose(0, 1)
    return by_end.flatten(1)


def _invert(order: Tensor) -> Tensor:
    """Return where each place went."""
    place = torch.empty_like(order)
    places = torch.arange(len(order), device=order.device)
    place[order] = places
    return place


def _append_zeros(nodes: Tensor, count: int) -> Tensor:
    shape = (count, *nodes.shape[1:])
    zeros = nodes.new_zeros(shape)
    return torch.cat([nodes, zeros])
