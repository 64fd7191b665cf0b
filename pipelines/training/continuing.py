"""A package that is trained further on new rows: `--from models/churn/1`.

Its columns, fitted steps, network, weights and labels are taken over, so that the next version takes
the rows that this one takes. What the package does not hold (the key, the label's column, the recipe)
is in the training job beside it.
"""

from dataclasses import dataclass

import pyarrow as pa

from configs.errors import InputError, JobError, ModelError
from configs.fields import Fields
from configs.packaging import GraphColumns
from configs.training import Network
from model_zoo.architectures.users_own import is_users_own, module_of
from model_zoo.package.card import Contract, ModelCard
from model_zoo.package.package import Package, read_package
from model_zoo.package.state_dicts import read_state_dict
from model_zoo.steps.fill import Fill
from model_zoo.steps.function import Function
from model_zoo.steps.graph import Graph
from model_zoo.steps.table import AnyStep
from pipelines.packing.networks.state import Weights
from pipelines.planning.arrow_types import parse_type
from pipelines.training.fitting_job import FittingJob
from pipelines.versions.names import resolve
from storage import files
from transforms.logical_types import cast_exactly


@dataclass(frozen=True)
class Before:
    """What a training goes on from.

    Attributes:
        package: opened and checked.
        weights: of its network.
    """

    package: Package
    weights: Weights


def open_before(job: FittingJob) -> Before | None:
    """Return what the job goes on from; None where it begins anew.

    Raises:
        ModelError: the package is not whole, or holds no network.
    """
    if job.from_package is None:
        return None
    resolved = resolve(job.from_package)
    url = files.to_absolute(resolved.url)
    package = read_package(url)
    card = package.card
    if not card.has_network:
        raise ModelError(
            f"{job.from_package}: is kept as an ONNX graph, which cannot be trained further; train the "
            "model where it came from, or begin anew without --from"
        )
    content = package.read_file(card.weights)
    try:
        state = read_state_dict(card.weights, content)
    except ValueError as error:
        raise ModelError(f"{job.from_package}/{card.weights}: {error}") from error
    return Before(package, Weights(state, ()))


def take_over(job: FittingJob, before: Before) -> FittingJob:
    """Return the job with columns, steps, network and labels of the package.

    Args:
        job: of the new rows.
        before: the package.

    Raises:
        JobError: the package's scores are of a kind that is not trained, or it would run code that
            the job does not allow.
    """
    _refuse_unnamed_code(job, before.package)
    card = before.package.card
    steps = before.package.steps
    changes = _take_columns(card.columns)
    changes["labels"] = card.labels or job.data.labels
    data = job.data.model_copy(update=changes)
    graph = None
    plain = []
    for step in steps:
        if isinstance(step, Graph):
            graph = graph or step
        else:
            plain.append(step)
    inputs = {}
    dtypes = {}
    # What a network of graphs takes stands in its graph.
    if graph is None:
        for name, tensor in card.inputs.items():
            inputs[name] = tensor.column or name
            dtypes[name] = tensor.dtype
    network = Network(
        builder=card.builder,
        parameters=card.parameters,
        inputs=inputs,
        outputs=tuple(card.outputs),
        dtypes=dtypes,
        graph=_to_columns(card, graph),
        activation=card.activation,
    )
    preprocess = map(_unfit, plain) if job.refit else plain
    update = {
        "data": data,
        "task": job.task or _find_task(card, str(job.from_package)),
        "preprocess": tuple(preprocess),
        "network": network,
    }
    return job.model_copy(update=update)


def _take_columns(columns: Contract) -> Fields:
    """Return what a package's contract says of the data of a job."""
    missing = {}
    fill = {}
    numbers = {}
    for column in columns:
        name = column.name
        missing[name] = column.missing
        if column.fill is not None:
            fill[name] = column.fill
        if column.number:
            numbers[name] = column.number
    return {
        "features": tuple(missing),
        "missing": missing,
        "fill": fill,
        "numbers": numbers,
    }


def _refuse_unnamed_code(job: FittingJob, package: Package) -> None:
    """Refuse a package whose network or steps are code of modules that the job does not name."""
    wanted = {step.module for step in package.steps if isinstance(step, Function)}
    builder = package.card.builder
    if is_users_own(builder):
        module = module_of(builder)
        wanted.add(module)
    unnamed = wanted.difference(job.modules)
    if unnamed:
        # In order, so that the message is the same each time.
        listed = ", ".join(sorted(unnamed))
        raise JobError(
            f"{job.from_package}: its network or steps are code of the module {listed}, which nobody has "
            f"allowed; if it is yours, say so: --set modules=[{listed}]"
        )


def cast_to_contract(rows: pa.Table, before: Before) -> pa.Table:
    """Return rows with the package's columns in the types that it knows them in.

    Args:
        rows: as they were read.
        before: the package.

    Raises:
        InputError: columns that are of another kind; all of them.
    """
    problems = []
    for column in before.package.card.columns:
        name = column.name
        if name not in rows.column_names:
            continue
        wanted = parse_type(column.type, name)
        values = rows.column(name).combine_chunks()
        if values.type == wanted:
            continue
        place = rows.schema.get_field_index(name)
        try:
            cast = _cast(values, wanted)
            rows = rows.set_column(place, name, cast)
        except (pa.ArrowException, ValueError):
            problems.append(f"{name!r} is {values.type}, and was {wanted}")
    if problems:
        listed = "; ".join(problems)
        raise InputError(
            f"data: columns are of other types than the package has them in: {listed}; "
            "mend them, or train a new model without --from"
        )
    return rows


def _cast(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), wanted)
    try:
        return cast_exactly(values, wanted)
    except (pa.ArrowException, ValueError):
        # CSV tells no types: whole numbers alone may be those of a column of fractions.
        return values.cast(wanted)


def _unfit(step: AnyStep) -> AnyStep:
    """Return a step whose values are to be found again."""
    if isinstance(step, Fill):
        # A constant was never found: the job says it.
        if step.strategy == "constant":
            return step
        return step.model_copy(update={"values": None})
    return step.model_copy(update=dict.fromkeys(step.fitted))


def _to_columns(card: ModelCard, graph: Graph | None) -> GraphColumns | None:
    if graph is None or card.graph is None:
        return None
    return GraphColumns(
        nodes=graph.nodes,
        edges=graph.edges,
        attributes=graph.attributes,
        pool=card.graph.pool,
    )


def _find_task(card: ModelCard, place: str) -> str:
    task = card.task
    # Of a package that is older than the word.
    if task is None and card.activation != "none":
        task = "classification"
    if task not in ("classification", "multi_label", "regression"):
        raise JobError(
            f"task: {place} says {task or 'nothing'} of its scores; say task: classification, "
            "multi_label or regression, whichever is learned"
        )
    return task
