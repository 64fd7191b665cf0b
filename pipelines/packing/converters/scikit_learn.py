"""A fitted Pipeline of scikit-learn -> an ONNX graph.

Preprocessing is written out in float64 (sklearn_columns.py), as scikit-learn computes it; the estimator
behind it is converted by skl2onnx in float32, which is what scikit-learn's trees compare in.
Probabilities become logits, so that a job has probability, class and label as of any classifier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias
import warnings

import pyarrow as pa

from configs.errors import JobError
from configs.fields import Names
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.engines.child.sklearn_model import choose_table, predict
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.contract import choose_columns
from pipelines.packing.contract.logical_types import to_logical_type
from pipelines.packing.converters.converted import Activation, Converted, NoGraphError
from pipelines.packing.converters.sklearn_columns import Columns, Types, has_encoder
from pipelines.packing.converters.sklearn_file import load_model, shorten
from pipelines.packing.converters.sklearn_logits import choose_finish, finish_graph
from pipelines.packing.converters.sklearn_missing import Before, send_missing
from pipelines.packing.converters.sklearn_numbers import NotTakenError, add_stage
from pipelines.packing.converters.sklearn_own import is_of_label_sets, keep_as_skops, read_own_task
from pipelines.packing.converters.sklearn_trees import get_input_kind, make_tree_graph
from pipelines.packing.libraries import import_library

Job: TypeAlias = PackagingJob[AnyStep]

_OPSETS = {"": 20, "ai.onnx.ml": 3}
_TREE_OPSETS = {"": 20, "ai.onnx.ml": 5}
_IR_VERSION = 10
_DTYPES = {"numbers": "float64", "codes": "int64"}
_OF_TREES = ("sklearn.ensemble", "sklearn.tree")


class _Stages(NamedTuple):
    first: list[Any]
    estimator: Any


class _Task(NamedTuple):
    activation: Activation
    labels: Names


def convert(job: Job, sample: pa.Table) -> Converted:
    """Return the graph of a fitted Pipeline, or of an estimator alone; its own form where it has none.

    Args:
        job: names the file.
        sample: rows as the Pipeline was trained on.

    Raises:
        JobError: there is no such file, it is not to be trusted, or parts of it are not taken.
    """
    import_library("skl2onnx", "sklearn")
    url = str(job.sklearn)
    if job.preprocess:
        raise JobError("preprocess: a Pipeline has its own; put the steps into it")
    model = load_model(url, job.trust_this_file)
    columns = _choose_columns(job, model, sample)
    estimator = _split(model).estimator
    make_own = partial(_keep_own, job, model, columns, estimator, sample)
    try:
        converted = _to_graph(model, columns, sample, url)
    except NoGraphError as reason:
        try:
            own = make_own()
        except JobError as error:
            raise JobError(f"{reason}; {error}") from error
        return replace(own, notes=(*own.notes, f"no ONNX graph: {reason}"))
    return replace(converted, make_own=make_own)


def _keep_own(job: Job, model: Any, columns: Names, estimator: Any, sample: pa.Table) -> Converted:
    """Return the model as scikit-learn keeps it.

    Args:
        job: with lengths of texts, where the author says them.
        model: fitted.
        columns: those that it takes.
        estimator: the last of it.
        sample: rows as it was trained on.
    """
    what = f"sklearn {job.sklearn}"
    task = read_own_task(estimator, what)
    native = _Pipeline(model, columns, is_classifier=task.activation != "none")
    takes_missing = _find_missing(native, columns, sample)
    return keep_as_skops(model, native, columns, takes_missing, task, sample, job.lengths, what)


def _to_graph(model: Any, columns: Names, sample: pa.Table, url: str) -> Converted:
    stages = _split(model)
    estimator = stages.estimator
    types = _find_types(sample, columns)
    grown = Columns(types)
    features = _add_preprocessing(grown, stages.first, columns, url)
    task = _read_task(estimator, url)
    activation = task.activation
    graph = _make_graph(grown, features, estimator, url)

    native = _Pipeline(model, columns, is_classifier=activation != "none")
    inputs = _list_inputs(grown)
    taken = _find_missing(native, grown.numbers, sample)
    if not send_missing(graph, estimator):
        taken &= _find_missing(Before(model, columns), grown.numbers, sample)
    note = _describe(estimator, grown)
    return Converted(
        graph=graph,
        dtypes={name: _DTYPES[name] for name in inputs},
        native=native,
        library="scikit-learn",
        columns=grown.list_used(),
        inputs=inputs,
        steps=tuple(grown.steps),
        fill=grown.fill,
        takes_missing=taken,
        activation=activation,
        labels=task.labels,
        finish=choose_finish(activation, is_of_label_sets(estimator)),
        notes=(note,),
    )


def _find_types(sample: pa.Table, columns: Names) -> Types:
    types = {}
    for name in columns:
        column = sample.schema.field(name)
        types[name] = to_logical_type(column.type)
    return types


def _describe(estimator: Any, grown: Columns) -> str:
    kind = type(estimator).__name__
    numbers = len(grown.numbers)
    categories = len(grown.codes)
    return f"{kind} behind {numbers} numbers and {categories} categories"


def _list_inputs(grown: Columns) -> dict[str, Names]:
    """Return the columns of each input; an input of no columns is none of the graph."""
    inputs = {}
    if grown.numbers:
        inputs["numbers"] = tuple(grown.numbers)
    if grown.codes:
        inputs["codes"] = tuple(grown.codes)
    return inputs


@dataclass(frozen=True)
class _Pipeline:
    """The author's model, called as its author does."""

    model: Any
    columns: Names
    is_classifier: bool

    def __call__(self, rows: pa.Table, _: Arrays) -> Arrays:
        model = self.model
        columns = list(self.columns)
        frame = rows.select(columns).to_pandas()
        given = choose_table(model, frame)
        with warnings.catch_warnings():
            # That a category of the sample is unknown is no news to its author.
            warnings.simplefilter("ignore", UserWarning)
            scores = predict(model, given, self.is_classifier)
        return {"probability" if self.is_classifier else "prediction": scores}


def _find_missing(
    model: _Pipeline | Before,
    names: Sequence[str],
    sample: pa.Table,
) -> frozenset[str]:
    """Return the columns of numbers in which scikit-learn takes a missing value."""
    # One row, of a value that is there in each column.
    complete = {}
    for name in model.columns:
        column = sample.column(name).combine_chunks()
        present = column.drop_null()
        if not len(present):
            return frozenset(names)
        complete[name] = present.slice(0, 1)

    taken = set()
    for name in dict.fromkeys(names):
        dtype = complete[name].type
        row = dict(complete)
        row[name] = pa.nulls(1, dtype)
        rows = pa.table(row)
        try:
            model(rows, {})
        except ValueError:
            # So does scikit-learn refuse NaN.
            continue
        taken.add(name)
    return frozenset(taken)


def _choose_columns(job: Job, model: Any, sample: pa.Table) -> Names:
    seen = choose_columns(job, sample)
    # An array of numpy's texts; a model that was trained on an array of numbers has none.
    names = getattr(model, "feature_names_in_", seen)
    wanted = [str(name) for name in names]
    present = sample.column_names
    missing = [name for name in wanted if name not in present]
    if missing:
        lacking = ", ".join(missing)
        raise JobError(f"the model was trained on columns that the sample lacks: {lacking}")

    there_are = len(wanted)
    # What takes texts does not say how many.
    count = getattr(model, "n_features_in_", there_are)
    if there_are != count:
        there = ", ".join(wanted)
        raise JobError(
            f"the model takes {count} columns and does not name them; the sample has "
            f"{there_are}: {there}; name them in columns, in the model's order"
        )
    return tuple(wanted)


def _split(model: Any) -> _Stages:
    if type(model).__name__ != "Pipeline":
        return _Stages([], model)
    *first, last = model.steps
    stages = [stage for _, stage in first]
    _, estimator = last
    return _Stages(stages, estimator)


def _add_preprocessing(grown: Columns, stages: list[Any], columns: Names, url: str) -> str:
    try:
        return _add_stages(grown, stages, columns)
    except NotTakenError as error:
        raise NoGraphError(f"sklearn {url}: {error} is no part of a graph") from error


def _add_stages(grown: Columns, stages: list[Any], columns: Names) -> str:
    """Add all of the preprocessing, and return the name of the estimator's features."""
    if not stages:
        return grown.add_numbers("passthrough", columns)
    # Only the first stage sees the columns, and may have to do with categories.
    first, *others = stages
    kind = type(first).__name__
    if kind == "ColumnTransformer":
        features = _add_branches(grown, first, columns)
    elif has_encoder(first):
        features = grown.add_categories(first, columns)
    else:
        features = grown.add_numbers("passthrough", columns)
        others = stages
    for stage in others:
        features = add_stage(grown, stage, features)
    return features


def _add_branches(grown: Columns, transformer: Any, columns: Names) -> str:
    if transformer.transformer_weights:
        raise NotTakenError("ColumnTransformer with transformer_weights")
    made = []
    for name, branch, _ in transformer.transformers_:
        # Positions of the columns, whatever way the author named them.
        positions = transformer._transformer_to_input_indices[name]
        names = [columns[position] for position in positions]
        if branch == "drop" or not names:
            continue
        if has_encoder(branch):
            features = grown.add_categories(branch, names)
        else:
            features = grown.add_numbers(branch, names)
        made.append(features)
    return grown.add("Concat", made, axis=1)


def _read_task(estimator: Any, url: str) -> _Task:
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        _refuse_several_numbers(estimator, url)
        return _Task("none", ())
    kind = type(estimator).__name__
    if isinstance(classes, list):
        raise NoGraphError(f"sklearn {url}: {kind} gives several labels of its own kinds a row")
    if not hasattr(estimator, "predict_proba"):
        raise JobError(
            f"sklearn {url}: {kind} gives no probabilities of one label; "
            "wrap it, in CalibratedClassifierCV for example"
        )
    labels = tuple(map(str, classes.tolist()))
    are_two = len(labels) == 2
    if not is_of_label_sets(estimator):
        return _Task("sigmoid" if are_two else "softmax", labels)
    # skl2onnx takes the two for the classes of one label, and gives four probabilities.
    is_of_several = hasattr(estimator, "estimators_")
    if are_two and not is_of_several:
        raise NoGraphError(f"sklearn {url}: {kind} of two labels has no graph")
    return _Task("sigmoid", labels)


def _refuse_several_numbers(estimator: Any, url: str) -> None:
    """Refuse trees whose leaves hold several numbers: their graph gives others than scikit-learn."""
    its_class = type(estimator)
    is_of_trees = its_class.__module__.startswith(_OF_TREES)
    numbers = getattr(estimator, "n_outputs_", 1)
    if is_of_trees and numbers > 1:
        kind = its_class.__name__
        raise NoGraphError(
            f"sklearn {url}: {kind} gives {numbers} numbers a row, which no graph does exactly"
        )


def _make_graph(grown: Columns, features: str, estimator: Any, url: str) -> Any:
    """Return preprocessing, estimator and logits as one graph."""
    from onnx import TensorProto, helper
    from onnx.compose import merge_models

    trees = make_tree_graph(estimator, f"sklearn {url}")
    # What skl2onnx writes takes float32; a graph that we write of trees says itself what it takes.
    kind = TensorProto.FLOAT if trees is None else get_input_kind(trees)
    given = grown.add("Cast", [features], to=kind)

    inputs = _describe_inputs(grown)
    given_shape = ["rows", estimator.n_features_in_]
    output = helper.make_tensor_value_info(given, kind, given_shape)
    before = helper.make_graph(
        grown.nodes,
        name="columns",
        inputs=inputs,
        outputs=[output],
        initializer=grown.constants,
    )
    first = helper.make_model(before, ir_version=_IR_VERSION)

    # Two models are merged only if they are of the same opsets.
    if trees is not None:
        _set_opsets(first, _TREE_OPSETS)
        return merge_models(first, trees, io_map=[(given, "x")])
    second = _convert_estimator(estimator, url)
    _set_opsets(first, _OPSETS)
    merged = merge_models(first, second, io_map=[(given, "estimator_features")])
    classes = getattr(estimator, "classes_", ())
    has_any_number = is_of_label_sets(estimator)
    finish_graph(merged, len(classes), has_any_number)
    return merged


def _describe_inputs(grown: Columns) -> list[Any]:
    from onnx import TensorProto, helper

    kinds = {
        "numbers": TensorProto.DOUBLE,
        "codes": TensorProto.INT64,
    }
    described = []
    for name, columns in _list_inputs(grown).items():
        shape = ["rows", len(columns)]
        info = helper.make_tensor_value_info(name, kinds[name], shape)
        described.append(info)
    return described


def _set_opsets(model: Any, opsets: Mapping[str, int]) -> None:
    del model.opset_import[:]
    for domain, number in opsets.items():
        model.opset_import.add(domain=domain, version=number)


def _convert_estimator(estimator: Any, url: str) -> Any:
    from onnx.compose import add_prefix
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    shape = [None, estimator.n_features_in_]
    kinds = [("features", FloatTensorType(shape))]
    options = None
    if hasattr(estimator, "classes_"):
        # Maps in place of an array are what ONNX tables of scores cannot hold.
        options = {id(estimator): {"zipmap": False}}
    try:
        model = to_onnx(estimator, initial_types=kinds, options=options, target_opset=_OPSETS)
    except Exception as error:  # skl2onnx has classes of its own, and passes others on
        kind = type(estimator).__name__
        reason = shorten(error)
        raise NoGraphError(f"sklearn {url}: skl2onnx does not take {kind}: {reason}") from error
    model.ir_version = _IR_VERSION
    _set_opsets(model, _OPSETS)
    return add_prefix(model, "estimator_")
