"""What a package holds of a model that another library trained: a graph, the library's own file, or both."""

from pathlib import PurePath
import re
from typing import NamedTuple

from configs.errors import ModelError
from configs.fields import Fields
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.engines.engine import find_engine
from model_zoo.engines.table import ENGINES_OF_FORMS
from model_zoo.package.card import Contract, Form
from model_zoo.package.onnx_graph import parse_graph
from model_zoo.package.package import PROFILE, SMOKE
from model_zoo.remote.target import Target
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.prepared import Prepared
from pipelines.packing.converters.converted import Converted
from pipelines.packing.converters.graph_files import MODEL, make_files
from pipelines.packing.libraries import list_versions
from pipelines.packing.proof.differences import choose_smoke_tolerance, choose_tolerance
from pipelines.packing.proof.scored_as import ScoredAs
from pipelines.packing.writing.content import Content
from pipelines.packing.writing.contents import (
    ScoredRows,
    describe_arrays,
    make_profile,
    make_smoke_table,
)
from pipelines.training.held_out import to_parquet

_LIBRARIES = ("numpy", "pandas", "pyarrow")
_OF_GRAPHS = ("onnx", "onnxruntime")
# Of each library's own format.
_FILES: dict[Form, str] = {
    "keras": "model.keras",
    "tflite": "model.tflite",
    "xgboost": "model.ubj",
    "lightgbm": "model.txt",
    "skops": "model.skops",
}
_OTHER_LETTER = re.compile("[^a-z0-9]")


class _Held(NamedTuple):
    """The model's files, by name, and what the card says of them."""

    card: Fields
    contents: dict[str, bytes]


def make_content(
    job: PackagingJob[AnyStep],
    contract: Contract,
    prepared: Prepared,
    outputs: Arrays,
    scored_as: ScoredAs,
    converted: Converted,
) -> Content:
    """Return what the package holds.

    Args:
        job: with all that was found out.
        contract: what the model asks of its rows.
        prepared: rows of the sample, and what the model takes of them.
        outputs: what it gave for them.
        scored_as: how scores are made of that.
        converted: the model.

    Raises:
        ModelError: a graph that scoring would refuse.
    """
    held = _make_graph_files(job, converted)
    held_forms = _make_own_files(job, converted)
    remote = {} if converted.target is None else {"remote": _describe_remote(converted.target)}
    model_columns = [rule.name for rule in contract]
    rows = prepared.rows.select(model_columns)
    scored = ScoredRows(rows, prepared.inputs, outputs)
    contents = {
        **held.contents,
        **held_forms.contents,
        SMOKE: to_parquet(make_smoke_table(scored)),
        PROFILE: to_parquet(make_profile(scored, scored_as)),
    }
    tolerance = choose_tolerance_of(outputs, converted)
    card = {
        "name": job.name or _name_model(job),
        "version": _choose_version(job, converted),
        **held.card,
        **held_forms.card,
        **remote,
        "columns": [rule.model_dump(mode="json") for rule in contract],
        "inputs": {name: tensor.model_dump() for name, tensor in prepared.tensors.items()},
        "outputs": describe_arrays(outputs),
        "activation": job.activation,
        "labels": list(job.labels),
        "smoke_tolerance": choose_smoke_tolerance(tolerance, outputs),
        "libraries": _list_libraries(converted, held_forms),
    }
    if job.task is not None:
        card["task"] = job.task
    return Content(card, prepared.steps, contents)


def list_engines(card: Fields) -> list[str]:
    """Return the engines that read what a package of a card holds."""
    if "remote" in card:
        return ["remote"]
    engines = [ENGINES_OF_FORMS[form] for form in card.get("forms", ())]
    return ["onnxruntime", *engines] if "onnx" in card else engines


def _list_libraries(converted: Converted, held_forms: _Held) -> dict[str, str]:
    """Return the versions of the libraries that the model was packed with."""
    names: tuple[str, ...] = _LIBRARIES
    if converted.graph is not None:
        names = (*names, *_OF_GRAPHS)
    versions = list_versions(names)
    for engine in list_engines(held_forms.card):
        name, _, version = find_engine(engine).describe_version().partition(" ")
        versions[name] = version
    return dict(sorted(versions.items()))


def _make_graph_files(job: PackagingJob[AnyStep], converted: Converted) -> _Held:
    """Return the graph, looked through as scoring will: what that refuses is found by the author."""
    if converted.graph is None:
        return _Held({}, {})
    files = make_files(converted.graph)
    sizes = {}
    for name, numbers in files.data.items():
        sizes[name] = len(numbers)
    try:
        parse_graph(files.content, sizes)
    except ValueError as error:
        raise ModelError(f"{_file_of(job)}: {error}") from error
    contents = {MODEL: files.content, **files.data}
    return _Held({"onnx": {"model": MODEL, "data": list(files.data)}}, contents)


def _make_own_files(job: PackagingJob[AnyStep], converted: Converted) -> _Held:
    """Return the library's own form, where there is no graph or the author wants both."""
    own = converted.own
    if own is None:
        return _Held({}, {})
    if converted.graph is not None and not (job.native or own.is_always_kept):
        return _Held({}, {})
    name = _FILES[own.form]
    return _Held({"forms": {own.form: name}}, {name: own.content})


def _choose_version(job: PackagingJob[AnyStep], converted: Converted) -> str:
    """Return the package's version; that of a server's model where its author says none."""
    target = converted.target
    if target is None or target.version is None or "version" in job.model_fields_set:
        return job.version
    return target.version


def _describe_remote(target: Target) -> Fields:
    """Return what the card says of a server: nothing of how the author reached it."""
    return {
        "protocol": target.protocol,
        "url": target.url,
        "name": target.name,
        "version": target.version,
    }


def _file_of(job: PackagingJob[AnyStep]) -> str:
    assert job.converted is not None  # noqa: S101 - whoever calls this has asked
    _, url = job.converted
    return url


def _name_model(job: PackagingJob[AnyStep]) -> str:
    # A server's model has a name there.
    named = PurePath(_file_of(job)).stem if job.remote is None else job.remote.name
    stem = named.lower()
    # What a card takes for a name.
    plain = _OTHER_LETTER.sub("-", stem)
    return plain.strip("-") or "model"


def choose_tolerance_of(outputs: Arrays, converted: Converted) -> float:
    """Return how far scores may be from those of the library, relative to the largest output.

    Args:
        outputs: of the model.
        converted: with the dtypes that it is computed in.
    """
    dtypes: list[object] = [array.dtype for array in outputs.values()]
    dtypes += converted.computed_in
    return choose_tolerance(dtypes)
