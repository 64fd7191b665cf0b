"""A network, its weights and a sample of rows -> a package that is proven by scoring the sample."""

from dataclasses import dataclass
import uuid

import pyarrow as pa
from safetensors.torch import save
import torch
from torch import nn

from configs.errors import JobError, ModelError
from configs.packaging import PackagingJob
from model_zoo.architectures.builders import build, is_ours, is_users_own
from model_zoo.architectures.named_tensors import Call
from model_zoo.architectures.users_own import hash_source, module_of
from model_zoo.arrays import Arrays
from model_zoo.engines.settings import Settings
from model_zoo.package.card import ModelCard
from model_zoo.package.package import CARD, PROFILE, SMOKE, read_package, write_package
from model_zoo.scoring.scorer import load_scorer
from model_zoo.steps.table import AnyStep
from pipelines.packaging.calling import compute, read_signature
from pipelines.packaging.contents import (
    Fields,
    ScoredRows,
    describe_arrays,
    list_versions,
    make_profile,
    make_smoke_table,
)
from pipelines.packaging.contract import (
    Contract,
    choose_columns,
    find_contract,
    take_complete_rows,
    to_plain_form,
)
from pipelines.packaging.differences import find_difference
from pipelines.packaging.expected import check_expected
from pipelines.packaging.inputs import Prepared, all_whole, fit, prepare, wire
from pipelines.packaging.state import load_weights, read_weights
from pipelines.planning.inference_settings import default_batch_rows
from pipelines.training.held_out import to_parquet
from storage import files

_LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "torch")
_WEIGHTS = "weights.safetensors"
# float32 keeps 24 bits; a sum of many products rounds some of them away.
_RELATIVE = 1e-5
_NOT_PROVEN = (
    "nothing was written; does the network compute a row by the rows beside it, or at random?"
)


@dataclass(frozen=True)
class Packed:
    """What was packed, and how it was proven.

    Attributes:
        card: as it was written.
        digest: of the package.
        steps: fitted preprocessing.
        types: Arrow types of the sample's columns, by name.
        notes: what was found or taken off on the way, in words.
        rows: rows of the sample that were scored both ways.
        left_out: rows of the sample that the contract rejects.
        difference: the largest one between scores of this program and those of the network called
            directly.
        compared: how far the author's own scores are from these, in words.
    """

    card: ModelCard
    digest: str
    steps: tuple[AnyStep, ...]
    types: dict[str, str]
    notes: tuple[str, ...]
    rows: int
    left_out: int
    difference: float
    compared: tuple[str, ...]


@dataclass(frozen=True)
class _Called:
    """The sample as the network took it, and what it gave."""

    prepared: Prepared
    call: Call
    outputs: Arrays


def pack(job: PackagingJob[AnyStep], sample: pa.Table, expected: pa.Table | None = None) -> Packed:
    """Write the package, and prove it on the sample.

    Args:
        job: the job.
        sample: rows as the nightly job will have them.
        expected: the author's own scores of these rows.

    Raises:
        JobError: what cannot be found out, all of it that is known by then.
        InputError, ModelError: a sample or a network that do not go together.
    """
    _refuse_standing(job.output)
    columns = choose_columns(job, sample)
    contract = find_contract(job, sample, columns)
    plain = to_plain_form(sample, columns)
    rows = take_complete_rows(plain, contract)
    network, notes = _load_network(job)
    called = _call(job, network, rows, contract)
    _check_activation(job, called.outputs)
    content = _make_content(job, network, contract, called)
    difference = _prove(job, content, called)
    compared: list[str] = []
    if expected is not None:
        compared = check_expected(job, expected, called.prepared.rows, called.outputs)
    digest = content.write(job.output)
    return Packed(
        card=read_package(job.output, digest).card,
        digest=digest,
        steps=called.prepared.steps,
        types={field.name: str(field.type) for field in sample.schema},
        notes=notes,
        rows=rows.num_rows,
        left_out=sample.num_rows - rows.num_rows,
        difference=difference,
        compared=tuple(compared),
    )


def _load_network(job: PackagingJob[AnyStep]) -> tuple[nn.Module, tuple[str, ...]]:
    modules = (module_of(job.network),) if is_users_own(job.network) else ()
    network = build(job.network, job.parameters, modules)
    weights = read_weights(job.weights)
    notes = load_weights(network, weights)
    _refuse_doubles(network)
    return network.eval(), notes


def _call(
    job: PackagingJob[AnyStep], network: nn.Module, rows: pa.Table, contract: Contract
) -> _Called:
    """Find out what the network takes, and call it."""
    signature = read_signature(network)
    fitted, columns = fit(job, rows, contract)
    wiring = wire(job, signature, columns)
    call: Call = "keywords" if is_ours(job.network) else signature.choose_call(list(wiring))
    dtypes = ["float32"]
    # An embedding takes numbers of words, and no other integers are told apart from numbers.
    if all_whole(wiring, columns):
        dtypes.append("int64")
    failures: list[ModelError] = []
    for dtype in dtypes:
        prepared = prepare(rows, contract, fitted, wiring, columns, dtype)
        try:
            outputs = compute(network, prepared.inputs, call, job.outputs)
        except ModelError as error:
            failures.append(error)
            continue
        return _Called(prepared, call, _squeeze(outputs))
    raise failures[0]


def _refuse_doubles(network: nn.Module) -> None:
    """Refuse a network that computes in float64, which scoring does not."""
    for name, tensor in network.named_parameters():
        if tensor.dtype == torch.float64:
            raise ModelError(
                f"the network's weight {name} is float64, and scoring computes in float32; "
                "let its builder function return network.float()"
            )


def _squeeze(outputs: Arrays) -> Arrays:
    """Return (rows, 1) as (rows,): a number a row, and not a list of one."""
    squeezed = {}
    for name, array in outputs.items():
        is_one = array.ndim == 2 and array.shape[1] == 1
        squeezed[name] = array[:, 0] if is_one else array
    return squeezed


def _check_activation(job: PackagingJob[AnyStep], outputs: Arrays) -> None:
    """Refuse what cannot be found: whether the numbers are logits."""
    if job.activation in ("sigmoid", "softmax"):
        _check_logits(job, outputs)
        return
    if job.activation == "none":
        return
    shapes = {name: (array.shape[1:] or "one number a row") for name, array in outputs.items()}
    # Several outputs, or arrays, have no activation.
    if len(outputs) != 1 or next(iter(outputs.values())).ndim > 2:
        return
    raise JobError(
        f"activation is needed: the network gives {shapes}, and nothing tells whether these are "
        "logits; --activation sigmoid (one logit a row), softmax (a logit a class), or none "
        "(scores as they are: regression, embeddings, probabilities)"
    )


def _check_logits(job: PackagingJob[AnyStep], outputs: Arrays) -> None:
    if len(outputs) != 1:
        raise JobError(
            f"activation {job.activation} needs one output, and the network gives {list(outputs)}; "
            "choose one of them in your forward, or say activation none"
        )
    (logits,) = outputs.values()
    classes = 2 if job.activation == "sigmoid" else logits.shape[-1]
    fits = logits.ndim == (1 if job.activation == "sigmoid" else 2)
    if not fits:
        raise JobError(
            f"activation {job.activation} does not fit an output of shape {logits.shape[1:]} a row"
        )
    if job.labels and len(job.labels) != classes:
        raise JobError(f"labels holds {len(job.labels)} names, and there are {classes} classes")


@dataclass(frozen=True)
class _Content:
    """What `write_package` takes."""

    card: Fields
    steps: tuple[AnyStep, ...]
    files: dict[str, bytes]

    def write(self, url: str) -> str:
        """Write the package there, and return its digest."""
        return write_package(url, self.card, self.steps, self.files)


def _make_content(
    job: PackagingJob[AnyStep], network: nn.Module, contract: Contract, called: _Called
) -> _Content:
    prepared = called.prepared
    model_columns = [rule.name for rule in contract]
    scored = ScoredRows(prepared.rows.select(model_columns), prepared.inputs, called.outputs)
    activation = job.activation or "none"
    # Copies: safetensors takes no tensors that share memory, as tied weights do.
    weights = {
        name: tensor.detach().clone().contiguous() for name, tensor in network.state_dict().items()
    }
    contents = {
        _WEIGHTS: save(weights),
        SMOKE: to_parquet(make_smoke_table(scored)),
        PROFILE: to_parquet(make_profile(scored, activation, job.labels)),
    }
    card = {
        "name": job.name or _name_model(job.network),
        "version": job.version,
        "builder": job.network,
        "parameters": job.parameters,
        "weights": _WEIGHTS,
        "columns": [rule.model_dump(mode="json") for rule in contract],
        "inputs": {name: tensor.model_dump() for name, tensor in prepared.tensors.items()},
        "outputs": describe_arrays(called.outputs),
        "activation": activation,
        "labels": list(job.labels),
        "libraries": list_versions(_LIBRARIES),
    }
    if is_users_own(job.network):
        card["source_sha256"] = hash_source(module_of(job.network))
    if not is_ours(job.network):
        card["call"] = called.call
    return _Content(card, prepared.steps, contents)


def _prove(job: PackagingJob[AnyStep], content: _Content, called: _Called) -> float:
    """Score the sample as a job will, and return how far that is from the direct call.

    Raises:
        ModelError: too far, or a row fails.
    """
    modules = (module_of(job.network),) if is_users_own(job.network) else ()
    # In this process's memory: what is not proven is left nowhere.
    url = f"memory://packaging/{uuid.uuid4().hex}"
    try:
        digest = content.write(url)
        package = read_package(url, digest, modules)
        settings = Settings(default_batch_rows(package.card))
        scorer = load_scorer(package, "cpu", settings, threads=1)
        scored = scorer(called.prepared.inputs)
    except ModelError as error:
        # The package's place is this process's memory, which says nothing to anybody.
        reason = str(error).removeprefix(f"{url}: ").partition(";")[0]
        raise ModelError(f"{reason}; {_NOT_PROVEN}") from error
    finally:
        files.remove(url)
    for failure in scored.rejected.values():
        raise ModelError(f"scoring fails on a row of the sample: {failure}; {_NOT_PROVEN}")
    largest = 0.0
    for name, expected in called.outputs.items():
        difference = find_difference(scored.outputs[name], expected)
        largest = max(largest, difference)
    if not largest <= _RELATIVE:
        raise ModelError(
            f"scores of the sample differ by {largest:.3g} from those of the network called "
            f"directly; {_NOT_PROVEN}"
        )
    return largest


def _refuse_standing(url: str) -> None:
    """Refuse a folder with a package at once, and not after all the work."""
    if files.exists(files.join(url, CARD)):
        raise JobError(
            f"output {url}: holds a model package already, and packages never change; "
            "choose another folder, a new version for example"
        )


def _name_model(network: str) -> str:
    _, _, last = network.rpartition(":")
    return last.replace("_", "-").lower() or "model"
