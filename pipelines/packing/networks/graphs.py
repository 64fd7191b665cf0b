"""A network of graphs: its columns become nodes and edges, and it is called as its author does.

The author's way is one graph of all rows without any padding, as torch_geometric's own loader makes
it; scoring keeps room for more, and is compared with that.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import ValidationError
import torch
from torch import nn

from configs.errors import JobError, ModelError
from configs.packaging import GraphColumns, PackagingJob
from configs.suggest import nearest
from model_zoo.architectures.disjoint_graphs import pool_nodes
from model_zoo.architectures.named_tensors import name_tensors
from model_zoo.architectures.signature import Signature
from model_zoo.arrays import Arrays
from model_zoo.package.card import GraphInputs
from model_zoo.steps.arrays import holds_numbers
from model_zoo.steps.columns import Columns
from model_zoo.steps.graph import Graph
from model_zoo.steps.lists import is_list, list_lengths
from model_zoo.steps.table import AnyStep
from model_zoo.tensors import to_tensors
from pipelines.packing.contract.dtypes import DTypes, Wiring
from pipelines.packing.contract.lists import refuse_large
from pipelines.packing.networks.computed import failures_told

Job: TypeAlias = PackagingJob[AnyStep]

# As torch_geometric calls them.
_NODES = "x"
_EDGES = "edge_index"
_COUNT = "node_count"
_BATCH = "batch"
_WEIGHT = "edge_weight"
_ATTRIBUTES = "edge_attr"
_ROWS_AT_A_TIME = 256
Tensors: TypeAlias = dict[str, torch.Tensor]


def find_graph_step(job: Job, columns: Columns) -> Graph:
    """Return the step that makes graphs, with room for the sample's largest.

    Args:
        job: the job, which names the columns and may declare lengths.
        columns: what its steps have made.

    Raises:
        JobError: a column is not there, or holds no such lists; all of it at once.
    """
    graph = _get_graph(job)
    named = [graph.nodes, *graph.edges]
    if graph.attributes is not None:
        named.append(graph.attributes)
    _check_columns(named, columns)
    nodes_shape = _find_shape(job, columns, graph.nodes)
    edge_counts = []
    for name in graph.edges:
        count, *_ = _find_shape(job, columns, name)
        edge_counts.append(count)
    fields: dict[str, object] = {
        "step": "graph",
        "nodes": graph.nodes,
        "edges": graph.edges,
        "nodes_shape": nodes_shape,
        "most_edges": max(edge_counts),
        "nodes_into": _NODES,
        "edges_into": _EDGES,
        "count_into": _COUNT,
    }
    if graph.attributes is not None:
        _, *row_shape = _find_shape(job, columns, graph.attributes)
        fields["attributes"] = graph.attributes
        fields["attributes_shape"] = tuple(row_shape)
        # One number of an edge is its weight; torch_geometric calls a vector its attributes.
        fields["attributes_into"] = _ATTRIBUTES if row_shape else _WEIGHT
    step = _make_step(fields)

    widths = step.count_numbers({})
    numbers = sum(widths.values())
    rows = len(columns[graph.nodes])
    refuse_large(graph.nodes, numbers, rows)
    return step


def _make_step(fields: Mapping[str, object]) -> Graph:
    try:
        return Graph.model_validate(fields)
    except ValidationError as error:
        first, *_ = error.errors()
        words = map(str, first["loc"])
        place = ".".join(words)
        reason = first["msg"]
        raise JobError(f"graph: its lists are not taken: {place}: {reason}") from error


def describe_inputs(job: Job, step: Graph, signature: Signature) -> GraphInputs:
    """Return which arguments of the network are the graph.

    Args:
        job: the job.
        step: what makes graphs.
        signature: of the network.

    Raises:
        ModelError: the network takes no nodes and edges by the names that networks of graphs have.
    """
    attributes = None
    needed = [_NODES, _EDGES]
    if step.attributes is not None:
        attributes = step.attributes_into
        needed.append(attributes)
    lacking = [name for name in needed if not signature.takes(name)]
    if lacking:
        names = " and no ".join(lacking)
        raise ModelError(
            f"the network takes no {names}; give its forward the arguments x, "
            "edge_index and, where it has them, edge_attr or edge_weight and batch, by these names"
        )
    takes_batch = signature.takes(_BATCH)
    return GraphInputs(
        nodes=_NODES,
        edges=_EDGES,
        count=_COUNT,
        attributes=attributes,
        batch=_BATCH if takes_batch else None,
        pool=_get_graph(job).pool,
    )


def wire_graph(
    job: Job,
    graph: GraphInputs,
    signature: Signature,
    columns: Columns,
) -> Wiring:
    """Return which columns make up each argument: those of the graph, and what is known of a row.

    Args:
        job: the job.
        graph: arguments that are the graph.
        signature: of the network.
        columns: what the steps have made, with the graph's arrays.

    Raises:
        JobError: an argument of the network that nothing is said of.
    """
    wiring: Wiring = {}
    for part in (graph.nodes, graph.edges, graph.count, graph.attributes):
        if part is not None:
            wiring[part] = part
    problems = []
    known = list(columns)
    for name, source in job.inputs.items():
        wiring[name] = source
        named = [source] if isinstance(source, str) else source
        for column in named:
            if column in columns:
                continue
            hint = nearest(column, known)
            problems.append(f"inputs.{name}: there is no column {column!r}{hint}")
    for name in signature.required:
        # Which row a node belongs to is told when the network is called.
        if name in wiring or name == graph.batch:
            continue
        if name not in columns:
            there = ", ".join(known)
            problems.append(f"the network also takes {name}; say inputs.{name} (there are {there})")
        wiring[name] = name
    if problems:
        raise JobError("; ".join(problems))
    return wiring


def list_graph_dtypes(step: Graph, found: DTypes) -> DTypes:
    """Return dtypes with those that the graph's own arrays must have.

    Args:
        step: what makes graphs.
        found: dtypes by argument.
    """
    dtypes = dict(found)
    # Numbers of nodes, whatever the columns were made of; only where they were found at all.
    for name in (step.edges_into, step.count_into):
        if name in dtypes:
            dtypes[name] = "int64"
    return dtypes


def compute_graphs(
    network: nn.Module,
    inputs: Arrays,
    graph: GraphInputs,
    outputs: Sequence[str],
) -> Arrays:
    """Call the network on graphs without padding, and return what it gives, by name.

    Args:
        network: with its weights, in evaluation mode.
        inputs: one array (rows, ...) by argument.
        graph: which of them are the graph.
        outputs: the names that are wanted, as for `name_tensors`.

    Raises:
        ModelError: it fails, or gives something else than numbers of nodes or of graphs.
    """
    parts: list[Arrays] = []
    for places in _cut_rows(inputs[graph.count]):
        some = {name: array[places] for name, array in inputs.items()}
        part = _compute_part(network, some, graph, outputs)
        parts.append(part)
    first, *_ = parts
    joined = {}
    for name in first:
        arrays = [part[name] for part in parts]
        joined[name] = np.concatenate(arrays)
    return joined


def _cut_rows(counts: np.ndarray) -> list[slice]:
    """Return which rows are computed at a time.

    Of as many nodes as graphs nobody could tell which of them an output is of. Such rows are
    computed with those before or behind them, and only where all rows are so is it left open.

    Args:
        counts: nodes of each row.
    """
    parts: list[slice] = []
    for start in range(0, len(counts), _ROWS_AT_A_TIME):
        part = slice(start, start + _ROWS_AT_A_TIME)
        if parts:
            before = parts[-1]
            if _is_unclear(counts[part]) or _is_unclear(counts[before]):
                parts.pop()
                part = slice(before.start, part.stop)
        parts.append(part)
    return parts


def _is_unclear(counts: np.ndarray) -> bool:
    return int(counts.sum()) == len(counts)


def _get_graph(job: Job) -> GraphColumns:
    assert job.graph is not None  # noqa: S101 - whoever calls this has asked
    return job.graph


def _check_columns(named: Sequence[str], columns: Columns) -> None:
    problems = []
    known = list(columns)
    for name in named:
        column = columns.get(name)
        if column is None:
            hint = nearest(name, known)
            problems.append(f"there is no column {name!r}{hint}")
            continue
        # A step may have made an array of numpy of it, which is no longer lists.
        if isinstance(column, np.ndarray) or not holds_numbers(column.type):
            problems.append(f"column {name!r} holds no lists of numbers")
    if problems:
        found = "; ".join(problems)
        raise JobError(f"graph: {found}")


def _find_shape(job: Job, columns: Columns, name: str) -> tuple[int, ...]:
    """Return the declared or longest length of a column's lists, and of the vectors in them."""
    lists = columns[name]
    lengths = list_lengths(lists)
    # A sample without any edge says nothing of how long they are, but there is room for one.
    longest = int(lengths.max(initial=1))
    declared = job.lengths.get(name)
    shape = [declared or longest]
    values: pa.Array = lists.flatten()
    while is_list(values.type):
        width = _find_width(values, name)
        shape.append(width)
        values = values.flatten()
    return tuple(shape)


def _find_width(vectors: pa.Array, name: str) -> int:
    """Return how many numbers each vector has, in a column's lists of them."""
    lengths = list_lengths(vectors)
    if not len(lengths):
        # Pairs, where there is none.
        return 2
    least = int(lengths.min())
    most = int(lengths.max())
    if least < most:
        raise JobError(
            f"graph: the vectors in column {name!r} have {least:,} to {most:,} numbers; "
            "they must all be of one length"
        )
    return least


def _compute_part(
    network: nn.Module,
    inputs: Arrays,
    graph: GraphInputs,
    outputs: Sequence[str],
) -> Arrays:
    tensors = to_tensors(inputs)
    counts = tensors[graph.count]
    nodes = tensors[graph.nodes]
    places = torch.arange(nodes.shape[1])
    # (rows, 1), compared with the number of each place: (rows, nodes).
    has_node = places < counts[:, None]
    arguments = _take_padding_out(tensors, graph, has_node)
    shapes = {name: list(tensor.shape) for name, tensor in arguments.items()}
    with failures_told(f"the network fails on {shapes}"), torch.inference_mode():
        returned = network(**arguments)
        named = name_tensors(returned, outputs)
    arrays = {}
    for name, output in named.items():
        of_rows = _split(name, output, has_node, graph)
        arrays[name] = of_rows.numpy()
    return arrays


def _take_padding_out(
    tensors: Tensors,
    graph: GraphInputs,
    has_node: torch.Tensor,
) -> Tensors:
    """Return the arguments of one graph of all rows, with their own nodes and edges alone."""
    edges = tensors[graph.edges]
    # Padding leads nowhere: its nodes are numbered -1.
    is_node = edges >= 0
    has_edge = is_node.all(1)
    count = tensors[graph.count]
    # A node's number in the one graph of all rows: behind the nodes of the rows before its own.
    first = torch.cumsum(count, 0) - count
    placed = edges + first[:, None, None]
    ends = placed.transpose(0, 1)
    nodes = tensors[graph.nodes]
    arguments = dict(tensors)
    # How many there are is only of use where there is padding.
    del arguments[graph.count]
    arguments[graph.nodes] = nodes[has_node]
    arguments[graph.edges] = ends[:, has_edge]
    if graph.attributes is not None:
        attributes = tensors[graph.attributes]
        arguments[graph.attributes] = attributes[has_edge]
    if graph.batch is not None:
        rows = torch.arange(len(count))
        arguments[graph.batch] = rows.repeat_interleave(count)
    return arguments


def _split(
    name: str,
    output: torch.Tensor,
    has_node: torch.Tensor,
    graph: GraphInputs,
) -> torch.Tensor:
    rows = len(has_node)
    nodes = int(has_node.sum())
    found_rows = len(output)
    # Of as many nodes as graphs nobody could tell; then a pool says that they are of nodes.
    is_clear = nodes != rows or graph.pool is not None
    if found_rows == nodes and is_clear:
        shape = (*has_node.shape, *output.shape[1:])
        placed = output.new_zeros(shape)
        placed[has_node] = output
        return pool_nodes(placed, has_node, graph.pool)
    if found_rows != rows:
        found = tuple(output.shape)
        raise ModelError(
            f"the network's output {name} has shape {found} for {rows} graphs of "
            f"{nodes} nodes; it must give something for each graph or for each node"
        )
    return output
