"""A network, its weights and a sample of rows -> a package that is proven by scoring the sample."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from safetensors.torch import save
from torch import nn

from configs.errors import ModelError, RejectedRows
from configs.fields import Fields
from configs.packaging import PackagingJob
from model_zoo.architectures.builders import build
from model_zoo.architectures.library_names import find_distribution
from model_zoo.architectures.users_own import hash_source, is_ours, is_users_own, module_of
from model_zoo.package.card import Contract
from model_zoo.package.package import PROFILE, SMOKE, read_package
from model_zoo.steps.table import AnyStep
from pipelines.packing.asking.activation import ask_for_activation, settle_activation
from pipelines.packing.asking.assumed_units import call_in_assumed_units
from pipelines.packing.asking.gaps import ask_for_gaps
from pipelines.packing.asking.questions import Questions
from pipelines.packing.asking.score_names import refuse_name_of_key
from pipelines.packing.contract.contract import ModelRows, choose_columns, take_rows
from pipelines.packing.contract.inputs import refuse_rows
from pipelines.packing.contract.missing import refuse_unfilled
from pipelines.packing.exporting.beside_network import Original, add_graph
from pipelines.packing.libraries import list_versions
from pipelines.packing.material import Material, Trained
from pipelines.packing.networks.called import Called, call_on_rows, find_mask
from pipelines.packing.networks.computed import failures_told
from pipelines.packing.networks.state import load_weights, read_weights
from pipelines.packing.proof.differences import choose_smoke_tolerance, choose_tolerance
from pipelines.packing.proof.expected import check_expected
from pipelines.packing.proof.finite import describe_not_finite, find_finite, refuse_without_scores
from pipelines.packing.proof.proof import prove
from pipelines.packing.proof.scored_as import ScoredAs
from pipelines.packing.proof.scores import describe_scores
from pipelines.packing.writing.content import Content
from pipelines.packing.writing.contents import (
    ScoredRows,
    describe_arrays,
    make_profile,
    make_smoke_table,
)
from pipelines.packing.writing.packed import Packed
from pipelines.packing.writing.starter_job import write_package_and_job
from pipelines.training.held_out import to_parquet

_LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "torch")
_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class _Loaded:
    """The network.

    Attributes:
        network: in evaluation mode.
        is_whole: whether it has its own weights; otherwise those that it was built with.
        notes: what was taken off the weights' names, in words.
    """

    network: nn.Module
    is_whole: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Examined:
    """All that a package of a network is made of.

    Attributes:
        job: with all that was found out.
        sample: the whole of it.
        loaded: the network.
        contract: of the model.
        called: how the network was called on the rows that the contract takes.
    """

    job: PackagingJob[AnyStep]
    sample: pa.Table
    loaded: _Loaded
    contract: Contract
    called: Called


def pack_network(material: Material, questions: Questions) -> Packed:
    """Write the package, once nothing is left to be asked.

    Args:
        material: what is known.
        questions: what is asked already.

    Raises:
        JobError: what cannot be found out, all of it.
        InputError, ModelError: a sample or a network that do not go together.
    """
    ask_for_gaps(material, questions)
    examined = _examine(material, questions)
    if examined is None and material.job.network:
        questions.ask(ask_for_activation, material.job)
    questions.refuse()
    assert examined is not None  # noqa: S101 - whatever hinders it was asked
    return _write(examined, material)


def _examine(material: Material, questions: Questions) -> _Examined | None:
    """Look at whatever is there; None where the network cannot be called on the sample."""
    job, sample = material.job, material.sample
    if not material.is_ready:
        if sample is not None:
            questions.ask(choose_columns, job, sample)
        return None
    loaded = _load_network(material, questions) if job.network else None
    if sample is None:
        return None
    if loaded is None:
        questions.ask(take_rows, job, sample)
        return None
    call = partial(_call, loaded.network)
    found = call_in_assumed_units(call, job, sample, questions)
    if found is None:
        return None
    contract, called = found
    if loaded.is_whole:
        questions.ask(_refuse_without_scores, loaded.network, contract, called)
    settled = _settle(job, loaded, called, questions)
    return _Examined(settled or job, sample, loaded, contract, called)


def _build(job: PackagingJob[AnyStep]) -> nn.Module:
    network = build(job.network, job.parameters, _list_modules(job))
    with failures_told(f"network {job.network} cannot be put into evaluation mode (eval)"):
        network.eval()
    if type(network).forward is nn.Module.forward:
        raise ModelError(f"network {job.network} has no forward, with which it would be called")
    return network


def _call(
    network: nn.Module, job: PackagingJob[AnyStep], taken: ModelRows
) -> tuple[Contract, Called]:
    try:
        with failures_told(f"network {job.network} cannot be called"):
            return taken.contract, call_on_rows(job, network, taken.rows, taken.contract)
    except RejectedRows as rejected:
        # Of a graph with an edge to nowhere, for example.
        raise refuse_rows(rejected) from rejected


def _load_network(material: Material, questions: Questions) -> _Loaded | None:
    """Return the network; without its weights, the shapes that it gives are known all the same."""
    job = material.job
    weights = material.weights
    if weights is None and job.weights:
        weights = questions.ask(read_weights, job.weights)
    network = questions.ask(_build, job)
    if network is None:
        return None
    if weights is None:
        return _Loaded(network, is_whole=False)
    notes = questions.ask(load_weights, network, weights)
    return _Loaded(network, notes is not None, notes or ())


def _refuse_without_scores(
    network: nn.Module,
    contract: Contract,
    called: Called,
) -> None:
    prepared = called.prepared
    refuse_unfilled(contract, prepared.steps, prepared.rows, called.outputs)
    refuse_without_scores(called.outputs, network)


def _settle(
    job: PackagingJob[AnyStep],
    loaded: _Loaded,
    called: Called,
    questions: Questions,
) -> PackagingJob[AnyStep] | None:
    is_known = job.activation is not None or job.task is None
    # What numbers look like says nothing before the network has its weights.
    if not loaded.is_whole and not is_known:
        return None
    tokens = _count_tokens(job, called)
    settled = questions.ask(settle_activation, job, called.outputs, tokens)
    if settled is not None:
        questions.ask(refuse_name_of_key, settled, called.outputs)
    return settled


def _find_own_mask(job: PackagingJob[AnyStep], called: Called) -> str | None:
    """Return the input that tells tokens from padding, of a network that is not one of ours."""
    if is_ours(job.network):
        return None
    return find_mask(called.prepared.steps, called.prepared.inputs)


def _count_tokens(job: PackagingJob[AnyStep], called: Called) -> int | None:
    mask = _find_own_mask(job, called)
    if mask is None:
        return None
    tokens: int = called.prepared.inputs[mask].shape[1]
    return tokens


def _write(examined: _Examined, material: Material) -> Packed:
    """Prove the package, and write it."""
    job, called, contract = examined.job, examined.called, examined.contract
    prepared, trained = called.prepared, material.trained
    mask = _find_own_mask(job, called)
    scored_as = describe_scores(job, prepared.rows, prepared.inputs, mask, contract, prepared.steps)
    with failures_told(f"network {job.network} cannot be packed"):
        content = _make_content(examined, scored_as, trained)
    tolerance = _choose_tolerance(examined)
    modules = _list_modules(job)
    with failures_told(f"network {job.network} cannot be scored"):
        difference = prove(content, modules, prepared.inputs, called.outputs, tolerance)
    expected = check_expected(job, material.expected, prepared.rows, called.outputs, scored_as)
    content, forms = _add_forms(examined, content, modules)
    rows = prepared.rows.num_rows
    scored_rows = np.count_nonzero(find_finite(called.outputs))
    written = write_package_and_job(
        job, content, examined.sample, int(scored_rows), material.reading, trained.replaces
    )
    return Packed(
        card=read_package(job.output, written.digest).card,
        written=written,
        steps=prepared.steps,
        notes=examined.loaded.notes,
        rows=rows,
        left_out=examined.sample.num_rows - rows,
        difference=difference,
        expected=tuple(expected),
        forms=forms,
        warnings=(*called.warnings, *describe_not_finite(called.outputs)),
    )


def _add_forms(
    examined: _Examined, content: Content, modules: tuple[str, ...]
) -> tuple[Content, tuple[str, ...]]:
    """Return the package with other forms of the model than the network, and what became of them."""
    # A job that says `onnx: false` wants none.
    if examined.job.onnx is False:
        return content, ()
    called = examined.called
    original = Original(
        network=examined.loaded.network,
        modules=modules,
        inputs=called.prepared.inputs,
        outputs=called.outputs,
        tolerance=_choose_tolerance(examined),
    )
    beside = add_graph(content, original)
    return beside.content, (beside.note,)


def _make_content(
    examined: _Examined,
    scored_as: ScoredAs,
    trained: Trained,
) -> Content:
    called = examined.called
    prepared = called.prepared
    model_columns = [rule.name for rule in examined.contract]
    rows = prepared.rows.select(model_columns)
    scored = ScoredRows(rows, prepared.inputs, called.outputs)
    weights = {}
    for name, tensor in examined.loaded.network.state_dict().items():
        # Copies: safetensors takes no tensors that share memory, as tied weights do.
        copied = tensor.detach().clone()
        weights[name] = copied.contiguous()
    contents = {
        _WEIGHTS: save(weights),
        SMOKE: to_parquet(make_smoke_table(scored)),
        PROFILE: to_parquet(make_profile(scored, scored_as)),
    }
    return Content(_make_card(examined, trained), prepared.steps, contents)


def _choose_tolerance(examined: _Examined) -> float:
    """Return how far scores may be from those of the network called directly."""
    network = examined.loaded.network
    dtypes: list[object] = [weight.dtype for weight in network.parameters()]
    dtypes += [array.dtype for array in examined.called.outputs.values()]
    return choose_tolerance(dtypes)


def _make_card(examined: _Examined, trained: Trained) -> Fields:
    job, called = examined.job, examined.called
    prepared = called.prepared
    tolerance = _choose_tolerance(examined)
    card: Fields = {
        "name": job.name or _name_model(job.network),
        "version": job.version,
        "builder": job.network,
        "parameters": job.parameters,
        "weights": _WEIGHTS,
        "columns": [rule.model_dump(mode="json") for rule in examined.contract],
        "inputs": {name: tensor.model_dump() for name, tensor in prepared.tensors.items()},
        "outputs": describe_arrays(called.outputs),
        "activation": job.activation,
        "smoke_tolerance": choose_smoke_tolerance(tolerance, called.outputs),
        "labels": list(job.labels),
        "libraries": list_versions((*_list_libraries(job.network), *trained.libraries)),
    }
    if trained.metrics:
        card["metrics"] = dict(trained.metrics)
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
