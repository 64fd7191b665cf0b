"""A network is called on rows of a sample: what it takes, in which dtypes, and what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import torch
from torch import nn

from configs.errors import InputError, ModelError
from configs.packaging import PackagingJob
from model_zoo.architectures.named_tensors import Call, clear_padding, may_be_of_tokens
from model_zoo.architectures.signature import read_signature
from model_zoo.architectures.users_own import is_ours
from model_zoo.arrays import Arrays
from model_zoo.package.card import Contract, GraphInputs
from model_zoo.steps.table import AnyStep, apply_steps
from model_zoo.steps.tokenize import Tokenize
from pipelines.packing.asking.activation import squeeze
from pipelines.packing.contract.dtypes import list_dtypes, list_fractions
from pipelines.packing.contract.inputs import (
    fit,
    list_sources,
    prepare,
    wire,
)
from pipelines.packing.contract.lists import pad_lists
from pipelines.packing.contract.prepared import (
    Columns,
    Prepared,
    Steps,
)
from pipelines.packing.networks.calling import compute
from pipelines.packing.networks.graphs import (
    compute_graphs,
    describe_inputs,
    find_graph_step,
    list_graph_dtypes,
    wire_graph,
)
from pipelines.packing.networks.padding_check import describe_padding


@dataclass(frozen=True)
class Called:
    """Rows as the network took them, and what it gave.

    Attributes:
        fitted: the job's own steps; those of `prepared` end with what makes arrays of their columns.
        prepared: what the network takes, and how that is made.
        call: whether it takes its arguments by name or by position.
        outputs: what it gave, (rows, ...) by name.
        graph: which arguments are a graph, where they are.
        warnings: what the author may not have meant, in words.
    """

    fitted: Steps
    prepared: Prepared
    call: Call
    outputs: Arrays
    graph: GraphInputs | None = None
    warnings: tuple[str, ...] = ()


def call_on_rows(
    job: PackagingJob[AnyStep],
    network: nn.Module,
    rows: pa.Table,
    contract: Contract,
) -> Called:
    """Find out what the network takes, and call it.

    Args:
        job: the job, whose steps are fitted here where they are not yet.
        network: in evaluation mode.
        rows: of the sample, without those that the contract rejects.
        contract: of the model.

    Raises:
        JobError: what cannot be found out.
        InputError, ModelError: rows and a network that do not go together.
        RejectedRows: rows that a step does not take.
    """
    signature = read_signature(network)
    fitted, columns = fit(job, rows, contract)
    if job.graph is not None:
        return _call_on_graphs(job, network, rows, contract, fitted, columns)
    lists = pad_lists(job, columns, rows.num_rows)
    wiring = wire(job, signature, lists.columns, lists.masks)
    sources = list_sources(wiring)
    steps = (*fitted, *lists.keep_taken(sources))
    call: Call = "keywords"
    if not is_ours(job.network):
        call = signature.choose_call(list(wiring))
    fractions = list_fractions(network.parameters(), contract)
    failures: list[InputError | ModelError] = []
    for dtypes in list_dtypes(job, wiring, lists.columns, lists.masks, fractions):
        try:
            prepared = prepare(rows, contract, steps, wiring, lists.columns, dtypes)
            outputs = compute(network, prepared.inputs, call, job.outputs)
        except (InputError, ModelError) as error:
            failures.append(error)
            continue
        warnings = describe_padding(network, prepared, call, job.outputs, outputs)
        cleared = _clear_padding(outputs, prepared)
        return Called(
            fitted=fitted,
            prepared=prepared,
            call=call,
            outputs=squeeze(cleared),
            warnings=warnings,
        )
    raise _refuse_all(failures)


def _call_on_graphs(
    job: PackagingJob[AnyStep],
    network: nn.Module,
    rows: pa.Table,
    contract: Contract,
    fitted: Steps,
    columns: Columns,
) -> Called:
    """Call a network of graphs."""
    signature = read_signature(network)
    step = find_graph_step(job, columns)
    made = dict(columns)
    made |= apply_steps([step], columns, rows.num_rows)
    graph = describe_inputs(job, step, signature)
    # What the graph is made of is padded already.
    taken = step.list_columns()
    others = {name: column for name, column in made.items() if name not in taken}
    lists = pad_lists(job, others, rows.num_rows)
    wiring = wire_graph(job, graph, signature, lists.columns)
    sources = list_sources(wiring)
    steps = (*fitted, step, *lists.keep_taken(sources))
    failures: list[InputError | ModelError] = []
    fractions = list_fractions(network.parameters(), contract)
    for found in list_dtypes(job, wiring, lists.columns, lists.masks, fractions):
        dtypes = list_graph_dtypes(step, found)
        try:
            prepared = prepare(rows, contract, steps, wiring, lists.columns, dtypes)
            outputs = compute_graphs(network, prepared.inputs, graph, job.outputs)
        except (InputError, ModelError) as error:
            failures.append(error)
            continue
        return Called(
            fitted=fitted,
            prepared=prepared,
            call="keywords",
            outputs=squeeze(outputs),
            graph=graph,
        )
    raise _refuse_all(failures)


def _refuse_all(failures: Sequence[InputError | ModelError]) -> InputError | ModelError:
    """Return the refusal of a network that fails with every dtype that was tried, the likeliest first."""
    first = failures[0]
    if len(failures) == 1:
        return first
    return type(first)(
        f"{first}; other dtypes were tried, too: say dtypes.ARGUMENT where one takes another"
    )


def find_mask(steps: Sequence[AnyStep], inputs: Arrays) -> str | None:
    """Return the input that tells tokens from padding; None where there is none, or more than one.

    Args:
        steps: of the package.
        inputs: of the network (rows, ...), by name.
    """
    masks = [step.mask_into for step in steps if isinstance(step, Tokenize)]
    # Texts of two columns have no length of their own.
    if len(masks) != 1:
        return None
    (mask,) = masks
    return mask if mask in inputs else None


def _clear_padding(outputs: Arrays, prepared: Prepared) -> Arrays:
    """Return outputs with zeros for padding, as scoring gives them."""
    name = find_mask(prepared.steps, prepared.inputs)
    if name is None:
        return outputs
    mask = torch.from_numpy(prepared.inputs[name])
    tokens = mask.shape[1]
    cleared = {}
    for output, array in outputs.items():
        shape = array.shape[1:]
        if may_be_of_tokens(shape) and shape[0] == tokens:
            tensor = torch.from_numpy(array)
            array = clear_padding(tensor, mask).numpy()
        cleared[output] = array
    return cleared
