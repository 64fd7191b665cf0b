"""A network, its weights and a sample of rows -> a package that is proven by scoring the sample."""

from dataclasses import dataclass, field

import pyarrow as pa
from safetensors.torch import save
from torch import nn

from configs.errors import RejectedRows
from configs.packaging import PackagingJob
from model_zoo.architectures.builders import build, is_ours, is_users_own
from model_zoo.architectures.libraries import find_distribution
from model_zoo.architectures.users_own import hash_source, module_of
from model_zoo.package.package import PROFILE, SMOKE, read_package
from model_zoo.steps.table import AnyStep
from pipelines.packing.activation import settle_activation
from pipelines.packing.called import Called, call_on_rows, find_mask
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
from pipelines.packing.expected import check_expected
from pipelines.packing.inputs import (
    refuse_rows,
)
from pipelines.packing.lists import find_too_long
from pipelines.packing.missing import Contract, refuse_unfilled
from pipelines.packing.packed import Packed
from pipelines.packing.proof import Content, prove, refuse_standing
from pipelines.packing.scores import ScoredAs, describe_scores
from pipelines.packing.starter_job import AS_IT_IS, Reading, write_package_and_job
from pipelines.packing.state import Weights, load_weights, read_weights
from pipelines.training.held_out import to_parquet

_LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "torch")
_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Trained:
    """What is known of a network that was trained just now.

    Attributes:
        metrics: figures by part of the data, as the card keeps them.
        libraries: those that trained it, beside the ones that any network has.
        replaces: whether a package that stands is replaced.
    """

    metrics: Fields = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    replaces: bool = False


# Of a network that somebody else trained.
_ELSEWHERE = Trained()


def pack(
    job: PackagingJob[AnyStep],
    sample: pa.Table,
    expected: pa.Table | None = None,
    weights: Weights | None = None,
    reading: Reading = AS_IT_IS,
    trained: Trained = _ELSEWHERE,
) -> Packed:
    """Write the package, and prove it on the sample.

    Args:
        job: the job.
        sample: rows as the nightly job will have them.
        expected: the author's own scores of these rows.
        weights: of the network, in place of those in the job's file.
        reading: how the sample was read.
        trained: what is known of its training.

    Raises:
        JobError: what cannot be found out, all of it that is known by then.
        InputError, ModelError: a sample or a network that do not go together.
    """
    if not trained.replaces:
        refuse_standing(job.output)
    columns = choose_columns(job, sample)
    contract = find_contract(job, sample, columns)
    plain = to_plain_form(sample, columns)
    rows = take_complete_rows(plain, contract, find_too_long(job, plain))
    if weights is None:
        weights = read_weights(job.weights)
    network, notes = _load_network(job, weights)
    try:
        called = call_on_rows(job, network, rows, contract)
    except RejectedRows as rejected:
        # Of a graph with an edge to nowhere, for example.
        raise refuse_rows(rejected) from rejected
    prepared = called.prepared
    refuse_unfilled(contract, prepared.steps, rows, called.outputs)
    mask = None if is_ours(job.network) else find_mask(prepared.steps, prepared.inputs)
    tokens = None if mask is None else prepared.inputs[mask].shape[1]
    job = settle_activation(job, called.outputs, tokens)
    scored_as = describe_scores(job, prepared.rows, prepared.inputs, mask, contract, prepared.steps)
    content = _make_content(job, network, contract, called, scored_as, trained)
    difference = prove(content, _list_modules(job), prepared.inputs, called.outputs)
    notes_of_expected = check_expected(job, expected, prepared.rows, called.outputs, scored_as)
    written = write_package_and_job(job, content, sample, rows.num_rows, reading, trained.replaces)
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


def _make_content(
    job: PackagingJob[AnyStep],
    network: nn.Module,
    contract: Contract,
    called: Called,
    scored_as: ScoredAs,
    trained: Trained,
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
    return Content(_make_card(job, contract, called, trained), prepared.steps, contents)


def _make_card(
    job: PackagingJob[AnyStep], contract: Contract, called: Called, trained: Trained
) -> Fields:
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
        "libraries": list_versions((*_list_libraries(job.network), *trained.libraries)),
    }
    if trained.metrics:
        card["metrics"] = trained.metrics
    if job.task is not None:
        card["task"] = job.task
    if is_users_own(job.network):
        card["source_sha256"] = hash_source(module_of(job.network))
    if not is_ours(job.network):
        card["call"] = called.call
        if called.graph is not None:
            card["graph"] = called.graph.model_dump()
        mask = find_mask(prepared.steps, prepared.inputs)
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
