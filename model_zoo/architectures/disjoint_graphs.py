"""A network of graphs, as torch_geometric has them, called on a mini-batch of rows with a graph each.

    rows (2, 3 nodes) and edges      one graph of 2 x 3 nodes in which no edge leads from row to row
    0 1 2    0-1 1-2                 0 1 2 | 3 4 | 5 6 7       edges 0-1 1-2 | 3-4 | 6-7
    0 1 .    0-1 .                   batch 0 0 0 | 1 1 | 2 2 2

Room for nodes and edges that a row has not is kept, in a graph of its own behind the last row (above:
batch 2, since layers expect its numbers in order). So every mini-batch has one shape, in which a
row's score has the same bits whichever rows are beside it; a matrix product rounds differently for
other shapes.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from model_zoo.architectures.named_tensors import Outputs, name_tensors
from model_zoo.package.card import GraphInputs

Tensors = Mapping[str, torch.Tensor]
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

    def __init__(self, network: nn.Module, graph: GraphInputs, outputs: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self._graph = graph
        self._outputs = tuple(outputs)

    def forward(self, **tensors: torch.Tensor) -> Outputs:
        graph = self._graph
        nodes = tensors[graph.nodes]
        count = tensors[graph.count]
        places = torch.arange(nodes.shape[1], device=nodes.device)
        has_node = places < count[:, None]
        # Those that are there first, row by row: a stable sort leaves them in their order.
        order = torch.argsort((~has_node).flatten().to(torch.uint8), stable=True)
        joined = _join(tensors, graph, has_node, order)
        named = name_tensors(self.network(**joined), self._outputs)
        place = _invert(order)
        return {name: self._split(name, output, has_node, place) for name, output in named.items()}

    def _split(
        self, name: str, output: torch.Tensor, has_node: torch.Tensor, place: torch.Tensor
    ) -> torch.Tensor:
        """Return what an output says of each row, (rows, ...)."""
        rows, most_nodes = has_node.shape
        if len(output) == rows + 1:
            return output[:rows]
        if len(output) != rows * most_nodes + _SPARE_NODES:
            raise ValueError(
                f"{name} has {len(output)} numbers for {rows} graphs; a network of graphs gives one "
                "for each graph of the batch vector, or one for each node"
            )
        # (nodes of all rows, ...) -> (rows, nodes, ...)
        of_rows = output[place].reshape(rows, most_nodes, *output.shape[1:])
        return pool_nodes(of_rows, has_node, self._graph.pool)


def pool_nodes(output: torch.Tensor, has_node: torch.Tensor, pool: str | None) -> torch.Tensor:
    """Return numbers of nodes pooled, (rows, ...); or, without a pool, as they are with zeros.

    Args:
        output: (rows, nodes, ...).
        has_node: bool (rows, nodes).
        pool: `sum`, `mean`, `max`, or None.
    """
    is_padding = ~has_node.reshape(*has_node.shape, *[1] * (output.ndim - 2))
    cleared = output.masked_fill(is_padding, 0)
    if pool is None:
        return cleared
    if pool == "max":
        largest = output.masked_fill(is_padding, -torch.inf).amax(1)
        return largest.masked_fill(is_padding.all(1), 0)
    total = cleared.sum(1)
    if pool == "sum":
        return total
    count = has_node.sum(1).clamp(min=_FEWEST_NODES)
    return total / count.reshape(-1, *[1] * (total.ndim - 1))


def _join(
    tensors: Tensors, graph: GraphInputs, has_node: torch.Tensor, order: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return the network's arguments for one graph of all rows.

    Args:
        tensors: inputs by name, (rows, ...).
        graph: which of them are the graph.
        has_node: bool (rows, nodes).
        order: which place of all rows' each node of the one graph comes from.
    """
    rows, _ = has_node.shape
    joined: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if name == graph.count:
            continue
        if name == graph.edges:
            joined[name] = _join_edges(tensor, has_node, order)
        elif name == graph.nodes:
            joined[name] = _append_zeros(tensor.flatten(0, 1)[order], _SPARE_NODES)
        elif name == graph.attributes:
            joined[name] = tensor.flatten(0, 1)
        else:
            # What is known of a whole graph: something for the one behind the last row, too.
            joined[name] = torch.cat([tensor, tensor[:1]])
    if graph.batch is not None:
        number = torch.arange(rows, device=has_node.device)[:, None]
        numbers = torch.where(has_node, number, rows).flatten()[order]
        spare = numbers.new_full((_SPARE_NODES,), rows)
        joined[graph.batch] = torch.cat([numbers, spare])
    return joined


def _join_edges(edges: torch.Tensor, has_node: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return edges between the nodes of all rows, int64 (2, rows * edges).

    Args:
        edges: (rows, 2, edges) between the nodes of a row; -1 where there is none.
        has_node: bool (rows, nodes).
        order: as for `_join`.
    """
    rows, most_nodes = has_node.shape
    count = has_node.sum(1)[:, None, None]
    is_none = (edges < 0).any(1, keepdim=True)
    is_outside = (edges >= count) & ~is_none
    # The step that makes edges rejects such rows; a package may lack that step.
    if bool(is_outside.any()):
        raise ValueError("an edge to a node that the row has not")
    first = torch.arange(rows, device=edges.device) * most_nodes
    placed = _invert(order)[edges.clamp(min=0) + first[:, None, None]]
    spare = rows * most_nodes + torch.arange(_SPARE_NODES, device=edges.device)
    joined = torch.where(is_none, spare[:, None], placed)
    # (rows, 2, edges) -> (2, rows * edges)
    return joined.transpose(0, 1).flatten(1)


def _invert(order: torch.Tensor) -> torch.Tensor:
    """Return where each place went."""
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    return place


def _append_zeros(nodes: torch.Tensor, count: int) -> torch.Tensor:
    zeros = nodes.new_zeros((count, *nodes.shape[1:]))
    return torch.cat([nodes, zeros])
