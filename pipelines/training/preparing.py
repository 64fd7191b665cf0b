"""Rows -> what a network learns from, found and made by the functions that packing and scoring use.

So a network that was trained can be packed: its columns, steps, inputs and dtypes are the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from torch import nn

from configs.errors import InputError, JobError, RejectedRows
from model_zoo.architectures.builders import build
from model_zoo.architectures.disjoint_graphs import DisjointGraphs
from model_zoo.architectures.named_tensors import NamedTensors
from model_zoo.architectures.signature import read_signature
from model_zoo.architectures.users_own import is_ours, is_users_own, module_of
from model_zoo.arrays import Arrays
from model_zoo.package.card import Contract, Tensor
from model_zoo.steps.graph import Graph
from model_zoo.steps.pad import Pad
from model_zoo.steps.target import Target
from model_zoo.training.examples import Examples
from model_zoo.training.repeatable import repeatable
from pipelines.packing.contract.contract import find_contract, take_complete_rows, to_plain_form
from pipelines.packing.contract.inputs import fit
from pipelines.packing.contract.lists import find_too_long, pad_lists
from pipelines.packing.networks.called import Called, call_on_rows, find_mask
from pipelines.packing.networks.state import Weights, load_weights
from pipelines.packing.writing.contents import describe_arrays
from pipelines.training.network_sizes import Outputs, add_sizes, add_usual, choose_builder
from pipelines.training.prepared import Packaging, Part, Prepared
from transforms.preprocess_rows import preprocess_rows

# Tells rows apart while others are left out; no file's column has such a name.
_ROW = "\0row"
# What a `stack` step is put into that this program writes.
_STACKED = "x"


def prepare(
    job: Packaging,
    outputs: Outputs,
    tables: Mapping[str, pa.Table],
    targets: Mapping[str, np.ndarray],
    seed: int,
    weights: Weights | None = None,
) -> Prepared:
    """Build a network and make of each part what it takes.

    Preprocessing is fitted on the training rows alone: what it knew of the others would make the
    metrics too good.

    Args:
        job: the packaging job, whose network may have no name and no sizes yet.
        outputs: how many numbers the network is to give for a row.
        tables: rows by part.
        targets: of the same rows.
        seed: of the network's weights.
        weights: that training begins with, in place of fresh ones.

    Raises:
        JobError: what nothing tells.
        InputError, ModelError: rows and a network that do not go together.
    """
    training = tables["training"]
    columns = list(job.columns or ())
    contract = find_contract(job, training, columns)
    built = _build_on_rows(job, training, contract, outputs, targets["training"], seed)
    network = built.network
    called = built.called
    if weights is not None:
        load_weights(network, weights)
    job = _settle(built.job, called)

    prepared = called.prepared
    parts = {}
    for name, table in tables.items():
        truth = targets[name]
        if name == "training":
            # Its inputs are there already.
            parts[name] = _make_part(table, built.kept, prepared.inputs, truth)
        else:
            parts[name] = _prepare_part(job, table, contract, called, truth)
    tensors = {}
    for name, shape in describe_arrays(called.outputs).items():
        tensors[name] = Tensor.model_validate(shape)
    wrapped = _wrap(job, network, called, tensors)
    return Prepared(
        packaging=job,
        network=network,
        called=wrapped,
        parts=parts,
        outputs=tensors,
        inputs=prepared.tensors,
    )


def list_modules(job: Packaging) -> tuple[str, ...]:
    """Return the author's module, which the author allows by naming it."""
    if not is_users_own(job.network):
        return ()
    module = module_of(job.network)
    return (module,)


class _Built(NamedTuple):
    """A network that was called on the training rows, those that no step has refused."""

    job: Packaging
    network: nn.Module
    called: Called
    kept: pa.Table


def _build_on_rows(
    job: Packaging,
    training: pa.Table,
    contract: Contract,
    outputs: Outputs,
    targets: np.ndarray,
    seed: int,
) -> _Built:
    """Build the network and call it, until no step refuses a row."""
    kept = _take_rows(job, training, contract)
    while True:
        target = _find_target(job, kept, targets)
        # Each time without the rows that a step has refused.
        try:
            job, network = _build(job, kept, contract, outputs, seed, target)
            called = call_on_rows(job, network, kept, contract)
        except InputError as error:
            kept = _leave_out(kept, error)
        except RejectedRows as rejected:
            kept = _leave_out_rows(kept, rejected)
        else:
            return _Built(job, network, called, kept)


def _build(
    job: Packaging,
    rows: pa.Table,
    contract: Contract,
    outputs: Outputs,
    seed: int,
    target: Target | None,
) -> tuple[Packaging, nn.Module]:
    """Return the job with its steps fitted and its network complete, and the network."""
    fitted, columns = fit(job, rows, contract, target)
    job = job.model_copy(update={"preprocess": fitted})
    if job.graph is None:
        padded = pad_lists(job, columns, rows.num_rows)
        columns = padded.columns
    builder = job.network or choose_builder(columns)
    job = job.model_copy(update={"network": builder})
    modules = list_modules(job)
    parameters = add_usual(builder, job.parameters)
    taken = _choose_taken(job, columns)
    sized = add_sizes(builder, parameters, modules, taken, outputs)
    with repeatable(seed):
        network = build(builder, sized, modules)
    inputs = job.inputs or _name_stack(network, columns)
    changes = {"parameters": sized, "inputs": inputs}
    complete = job.model_copy(update=changes)
    return complete, network.eval()


def _find_target(job: Packaging, rows: pa.Table, targets: np.ndarray) -> Target | None:
    """Return what is to be predicted of the rows that are kept, for steps that select by it."""
    numbers = rows.column(_ROW).to_numpy()
    task = job.task
    # The tasks that are trained, one by one, as mypy tells them apart.
    if task == "classification" or task == "multi_label" or task == "regression":
        return Target(targets[numbers], task)
    return None


def _name_stack(
    network: nn.Module,
    columns: Mapping[str, object],
) -> dict[str, str]:
    """Return the argument that takes what a `stack` step has made, whatever the network calls it."""
    required = read_signature(network).required
    if len(required) != 1 or _STACKED not in columns:
        return {}
    (argument,) = required
    # A column of its name is what it takes.
    if argument in columns:
        return {}
    return {argument: _STACKED}


def _choose_taken(
    job: Packaging,
    columns: Mapping[str, object],
) -> dict[str, object]:
    """Return the columns that a network of one argument takes."""
    names = _name_taken(job, columns)
    return {name: columns[name] for name in names if name in columns}


def _name_taken(job: Packaging, columns: Iterable[str]) -> Sequence[str]:
    sources = list(job.inputs.values())
    if len(sources) == 1:
        (source,) = sources
        # An argument may take several columns.
        return (source,) if isinstance(source, str) else source
    if _STACKED in columns:
        return (_STACKED,)
    # A mask says which items of a list are there, and is none of the numbers.
    return [name for name in columns if not name.endswith("_mask")]


def _take_rows(job: Packaging, table: pa.Table, contract: Contract) -> pa.Table:
    """Return the rows of a part that a model of this contract takes."""
    every = np.arange(table.num_rows)
    numbers = pa.array(every)
    numbered = table.append_column(_ROW, numbers)
    names = [rule.name for rule in contract]
    plain = to_plain_form(numbered, names)
    try:
        too_long = find_too_long(job, plain)
        return take_complete_rows(plain, contract, too_long)
    except JobError as error:
        said = str(error)
        # It speaks of a sample.
        of_rows = said.replace("every row of the sample", "every row")
        text = of_rows.replace(" in the sample", "")
        raise JobError(text) from error


def _leave_out(rows: pa.Table, error: InputError) -> pa.Table:
    """Return rows without those that a step does not take; raise what is no row's alone."""
    rejected = error.__cause__
    if not isinstance(rejected, RejectedRows):
        raise error
    return _leave_out_rows(rows, rejected)


def _leave_out_rows(rows: pa.Table, rejected: RejectedRows) -> pa.Table:
    reasons = rejected.reasons
    refused = list(reasons)
    is_taken = np.ones(rows.num_rows, bool)
    is_taken[refused] = False
    if not is_taken.any():
        # Of the first row.
        _, reason = min(reasons.items())
        raise InputError(f"preprocessing takes no row: {reason}") from rejected
    mask = pa.array(is_taken)
    kept = rows.filter(mask)
    return kept.combine_chunks()


def _prepare_part(
    job: Packaging,
    table: pa.Table,
    contract: Contract,
    called: Called,
    targets: np.ndarray,
) -> Part:
    kept = _take_rows(job, table, contract)
    prepared = called.prepared
    while True:
        # All rows are one batch, since each column is in one chunk.
        (batch,) = kept.to_batches()
        try:
            inputs = preprocess_rows(batch, contract, prepared.steps, prepared.tensors)
        except RejectedRows as rejected:
            kept = _leave_out_rows(kept, rejected)
        else:
            return _make_part(table, kept, inputs, targets)


def _make_part(
    table: pa.Table,
    kept: pa.Table,
    inputs: Arrays,
    targets: np.ndarray,
) -> Part:
    # Places in the table, whatever was left out since.
    numbers = kept.column(_ROW).to_numpy()
    places = pa.array(numbers)
    rows = table.take(places)
    return Part(
        rows=rows.combine_chunks(),
        examples=Examples(inputs, targets[numbers]),
        left_out=table.num_rows - rows.num_rows,
    )


def _settle(job: Packaging, called: Called) -> Packaging:
    """Return the job with what the training rows have shown, so that fewer rows show the same."""
    prepared = called.prepared
    lengths = dict(job.lengths)
    # What the job says stays; only what it leaves out is set.
    for step in prepared.steps:
        if isinstance(step, Pad) and step.shorter == "pad":
            longest = step.shape[0]
            lengths.setdefault(step.column, longest)
        if isinstance(step, Graph):
            most_nodes = step.nodes_shape[0]
            lengths.setdefault(step.nodes, most_nodes)
            for name in step.edges:
                lengths.setdefault(name, step.most_edges)
    tensors = prepared.tensors
    changes = {
        "lengths": lengths,
        "dtypes": {name: tensor.dtype for name, tensor in tensors.items()},
        "preprocess": called.fitted,
    }
    return job.model_copy(update=changes)


def _wrap(
    job: Packaging,
    network: nn.Module,
    called: Called,
    outputs: Mapping[str, Tensor],
) -> nn.Module:
    """Return the network as scoring calls it."""
    if is_ours(job.network):
        return network
    inner = network
    if called.graph is not None:
        names = tuple(outputs)
        inner = DisjointGraphs(network, called.graph, names)
    prepared = called.prepared
    mask = find_mask(prepared.steps, prepared.inputs)
    return NamedTensors(
        inner,
        inputs=tuple(prepared.tensors),
        call=called.call,
        outputs=outputs,
        mask=mask,
    )
