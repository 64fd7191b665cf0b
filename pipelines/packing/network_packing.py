"""A network, its weights and a sample of rows -> a package that is proven by scoring the sample."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from safetensors.torch import save
import torch
from torch import nn

from configs.errors import InputError, ModelError, RejectedRows
from configs.packaging import PackagingJob
from model_zoo.architectures.builders import build, is_ours, is_users_own
from model_zoo.architectures.libraries import find_distribution
from model_zoo.architectures.named_tensors import Call, clear_padding, is_double, is_of_tokens
from model_zoo.architectures.users_own import hash_source, module_of
from model_zoo.arrays import Arrays
from model_zoo.package.card import GraphInputs
from model_zoo.package.package import PROFILE, SMOKE, read_package
from model_zoo.steps.table import AnyStep, apply_steps
from model_zoo.steps.tokenize import Tokenize
from pipelines.packing.activation import settle_activation, squeeze
from pipelines.packing.calling import compute, read_signature
from pipelines.packing.contents import (
    Fields,
    ScoredRows,
    describe_arrays,
    list_versions,
    make_profile,
    make_smoke_table,
)
from pipelines.packing.contract import (
    choose_columns,
    find_contract,
    take_complete_rows,
    to_plain_form,
)
from pipelines.packing.dtypes import list_dtypes
from pipelines.packing.expected import check_expected
from pipelines.packing.graphs import (
    compute_graphs,
    describe_inputs,
    find_graph_step,
    list_graph_dtypes,
    wire_graph,
)
from pipelines.packing.inputs import (
    Columns,
    Prepared,
    Steps,
    fit,
    list_sources,
    prepare,
    refuse_rows,
    wire,
)
from pipelines.packing.lists import find_too_long, pad_lists
from pipelines.packing.missing import Contract, refuse_unfilled
from pipelines.packing.packed import Packed
from pipelines.packing.padding_check import describe_padding
from pipelines.packing.proof import Content, prove, refuse_standing
from pipelines.packing.scores import ScoredAs, describe_scores
from pipelines.packing.starter_job import AS_IT_IS, Reading, write_package_and_job
from pipelines.packing.state import Weights, load_weights, read_weights
from pipelines.training.held_out import to_parquet

_LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "torch")
_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class _Called:
    """The sample as the network took it, and what it gave."""

    prepared: Prepared
    call: Call
    outputs: Arrays
    graph: GraphInputs | None = None
    warnings: tuple[str, ...] = ()


def pack(
    job: PackagingJob[AnyStep],
    sample: pa.Table,
    expected: pa.Table | None = None,
    weights: Weights | None = None,
    reading: Reading = AS_IT_IS,
) -> Packed:
    """Write the package, and prove it on the sample.

    Args:
        job: the job.
        sample: rows as the nightly job will have them.
        expected: the author's own scores of these rows.
        weights: of the network, in place of those in the job's file.
        reading: how the sample was read.

    Raises:
        JobError: what cannot be found out, all of it that is known by then.
        InputError, ModelError: a sample or a network that do not go together.
    """
    refuse_standing(job.output)
    columns = choose_columns(job, sample)
    contract = find_contract(job, sample, columns)
    plain = to_plain_form(sample, columns)
    rows = take_complete_rows(plain, contract, find_too_long(job, plain))
    if weights is None:
        weights = read_weights(job.weights)
    network, notes = _load_network(job, weights)
    try:
        called = _call(job, network, rows, contract)
    except RejectedRows as rejected:
        # Of a graph with an edge to nowhere, for example.
        raise refuse_rows(rejected) from rejected
    prepared = called.prepared
    refuse_unfilled(contract, prepared.steps, rows, called.outputs)
    mask = None if is_ours(job.network) else _find_mask(prepared.steps, prepared.inputs)
    tokens = None if mask is None else prepared.inputs[mask].shape[1]
    job = settle_activation(job, called.outputs, tokens)
    scored_as = describe_scores(job, prepared.rows, prepared.inputs, mask, contract, prepared.steps)
    content = _make_content(job, network, contract, called, scored_as)
    difference = prove(content, _list_modules(job), prepared.inputs, called.outputs)
    notes_of_expected = check_expected(job, expected, prepared.rows, called.outputs, scored_as)
    written = write_package_and_job(job, content, sample, rows.num_rows, reading)
    return Packed(
        card=read_package(job.output, written.digest).card,
        written=written,
        steps=prepared.steps,
        notes=notes,
        rows=rows.num_rows,
        left_out=sample.num_rows - rows.num_rows,
        difference=difference,
        expected=tuple(notes_of_expected),
        warnings=called.warnings,
    )


def _load_network(
    job: PackagingJob[AnyStep], weights: Weights
) -> tuple[nn.Module, tuple[str, ...]]:
    network = build(job.network, job.parameters, _list_modules(job))
    notes = load_weights(network, weights)
    return network.eval(), notes


def _call(
    job: PackagingJob[AnyStep], network: nn.Module, rows: pa.Table, contract: Contract
) -> _Called:
    """Find out what the network takes, and call it."""
    signature = read_signature(network)
    fitted, columns = fit(job, rows, contract)
    if job.graph is not None:
        return _call_on_graphs(job, network, rows, contract, fitted, columns)
    lists = pad_lists(job, columns, rows.num_rows)
    wiring = wire(job, signature, lists.columns, lists.masks)
    steps = (*fitted, *lists.keep_taken(list_sources(wiring)))
    call: Call = "keywords"
    if not is_ours(job.network):
        call = signature.choose_call(list(wiring))
    fraction = "float64" if is_double(network) else "float32"
    failures: list[InputError | ModelError] = []
    for dtypes in list_dtypes(job, wiring, lists.columns, lists.masks, fraction):
        try:
            prepared = prepare(rows, contract, steps, wiring, lists.columns, dtypes)
            outputs = compute(network, prepared.inputs, call, job.outputs)
        except (InputError, ModelError) as error:
            failures.append(error)
            continue
        warnings = describe_padding(network, prepared, call, job.outputs, outputs)
        cleared = _clear_padding(outputs, prepared)
        return _Called(prepared, call, squeeze(cleared), warnings=warnings)
    raise _refuse_all(failures)


def _call_on_graphs(
    job: PackagingJob[AnyStep],
    network: nn.Module,
    rows: pa.Table,
    contract: Contract,
    fitted: Steps,
    columns: Columns,
) -> _Called:
    """Call a network of graphs."""
    signature = read_signature(network)
    step = find_graph_step(job, columns)
    made = {**columns, **apply_steps([step], columns, rows.num_rows)}
    graph = describe_inputs(job, step, signature)
    # What the graph is made of is padded already.
    others = {name: column for name, column in made.items() if name not in step.list_columns()}
    lists = pad_lists(job, others, rows.num_rows)
    wiring = wire_graph(job, graph, signature, lists.columns)
    steps = (*fitted, step, *lists.keep_taken(list_sources(wiring)))
    failures: list[InputError | ModelError] = []
    for found in list_dtypes(job, wiring, lists.columns, lists.masks):
        dtypes = list_graph_dtypes(step, found)
        try:
            prepared = prepare(rows, contract, steps, wiring, lists.columns, dtypes)
            outputs = compute_graphs(network, prepared.inputs, graph, job.outputs)
        except (InputError, ModelError) as error:
            failures.append(error)
            continue
        return _Called(prepared, "keywords", squeeze(outputs), graph)
    raise _refuse_all(failures)


def _refuse_all(failures: Sequence[InputError | ModelError]) -> InputError | ModelError:
    """Return the refusal of a network that fails with every dtype that was tried, the likeliest first."""
    first = failures[0]
    if len(failures) == 1:
        return first
    return type(first)(
        f"{first}; other dtypes were tried, too: say dtypes.ARGUMENT where one takes another"
    )


def _find_mask(steps: Sequence[AnyStep], inputs: Arrays) -> str | None:
    """Return the input that tells tokens from padding."""
    masks = [step.mask_into for step in steps if isinstance(step, Tokenize)]
    # Texts of two columns have no length of their own.
    if len(masks) != 1:
        return None
    (mask,) = masks
    return mask if mask in inputs else None


def _clear_padding(outputs: Arrays, prepared: Prepared) -> Arrays:
    """Return outputs with zeros for padding, as scoring gives them."""
    name = _find_mask(prepared.steps, prepared.inputs)
    if name is None:
        return outputs
    mask = torch.from_numpy(prepared.inputs[name])
    tokens = mask.shape[1]
    cleared = {}
    for output, array in outputs.items():
        shape = array.shape[1:]
        if is_of_tokens(shape) and shape[0] == tokens:
            tensor = torch.from_numpy(array)
            array = clear_padding(tensor, mask).numpy()
        cleared[output] = array
    return cleared


def _make_content(
    job: PackagingJob[AnyStep],
    network: nn.Module,
    contract: Contract,
    called: _Called,
    scored_as: ScoredAs,
) -> Content:
    prepared = called.prepared
    model_columns = [rule.name for rule in contract]
    rows = prepared.rows.select(model_columns)
    scored = ScoredRows(rows, prepared.inputs, called.outputs)
    weights = {}
    for name, tensor in network.state_dict().items():
        # Copies: safetensors takes no tensors that share memory, as tied weights do.
        copied = tensor.detach().clone()
        weights[name] = copied.contiguous()
    contents = {
        _WEIGHTS: save(weights),
        SMOKE: to_parquet(make_smoke_table(scored)),
        PROFILE: to_parquet(make_profile(scored, scored_as)),
    }
    return Content(_make_card(job, contract, called), prepared.steps, contents)


def _make_card(job: PackagingJob[AnyStep], contract: Contract, called: _Called) -> Fields:
    prepared = called.prepared
    card: Fields = {
        "name": job.name or _name_model(job.network),
        "version": job.version,
        "builder": job.network,
        "parameters": job.parameters,
        "weights": _WEIGHTS,
        "columns": [rule.model_dump(mode="json") for rule in contract],
        "inputs": {name: tensor.model_dump() for name, tensor in prepared.tensors.items()},
        "outputs": describe_arrays(called.outputs),
        "activation": job.activation,
        "labels": list(job.labels),
        "libraries": list_versions(_list_libraries(job.network)),
    }
    if job.task is not None:
        card["task"] = job.task
    if is_users_own(job.network):
        card["source_sha256"] = hash_source(module_of(job.network))
    if not is_ours(job.network):
        card["call"] = called.call
        if called.graph is not None:
            card["graph"] = called.graph.model_dump()
        mask = _find_mask(prepared.steps, prepared.inputs)
        if mask is not None:
            card["mask"] = mask
    return card


def _list_libraries(network: str) -> tuple[str, ...]:
    own = find_distribution(network)
    return _LIBRARIES if own is None else (*_LIBRARIES, own)


def _list_modules(job: PackagingJob[AnyStep]) -> tuple[str, ...]:
    """Return the author's module, which the author allows by naming it."""
    return (module_of(job.network),) if is_users_own(job.network) else ()


def _name_model(network: str) -> str:
    _, _, last = network.rpartition(":")
    return last.replace("_", "-").lower() or "model"
