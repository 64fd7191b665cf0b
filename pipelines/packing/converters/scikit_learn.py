"""A fitted Pipeline of scikit-learn -> an ONNX graph.

Preprocessing is written out in float64 (sklearn_columns.py), as scikit-learn computes it; the estimator
behind it is converted by skl2onnx in float32, which is what scikit-learn's trees compare in.
Probabilities become logits, so that a job has probability, class and label as of any classifier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
import warnings

import pyarrow as pa

from configs.errors import JobError, ModelError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.contract import choose_columns
from pipelines.packing.contract.logical_types import to_logical_type
from pipelines.packing.converters.converted import Activation, Converted
from pipelines.packing.converters.sklearn_columns import Columns, has_encoder
from pipelines.packing.converters.sklearn_logits import choose_finish, finish_graph
from pipelines.packing.converters.sklearn_numbers import NotTakenError, add_stage, list_taken
from pipelines.packing.converters.sklearn_trees import get_input_kind, make_tree_graph
from pipelines.packing.libraries import import_library
from storage import files

_PICKLES = (".joblib", ".pkl", ".pickle")
# Of these libraries' own types skops makes objects without running anything of the file.
_KNOWN_TYPES = ("sklearn.", "numpy.", "scipy.")
_OPSETS = {"": 20, "ai.onnx.ml": 3}
_TREE_OPSETS = {"": 20, "ai.onnx.ml": 5}
_IR_VERSION = 10
_DTYPES = {"numbers": "float64", "codes": "int64"}
_SHOWN_CHARACTERS = 300


class _Stages(NamedTuple):
    first: list[Any]
    estimator: Any


def convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    """Return the graph of a fitted Pipeline, or of an estimator alone.

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
    model = _load(job, url)
    columns = _choose_columns(job, model, sample)
    stages = _split(model)
    estimator = stages.estimator

    types = {name: to_logical_type(sample.schema.field(name).type) for name in columns}
    grown = Columns(types)
    features = _add_preprocessing(grown, stages.first, columns, url)
    activation, labels = _read_task(estimator, url)
    graph = _make_graph(grown, features, estimator, url)

    native = _Pipeline(model, columns, is_classifier=activation != "none")
    inputs = _list_inputs(grown)
    kind = type(estimator).__name__
    note = f"{kind} behind {len(grown.numbers)} numbers and {len(grown.codes)} categories"
    return Converted(
        graph=graph,
        dtypes={name: _DTYPES[name] for name in inputs},
        native=native,
        library="scikit-learn",
        columns=grown.list_used(),
        inputs=inputs,
        steps=tuple(grown.steps),
        fill=grown.fill,
        takes_missing=_find_missing(native, grown.numbers, sample),
        activation=activation,
        labels=labels,
        finish=choose_finish(activation, _is_of_label_sets(estimator)),
        notes=(note,),
    )


def _list_inputs(grown: Columns) -> dict[str, tuple[str, ...]]:
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
    columns: tuple[str, ...]
    is_classifier: bool

    def __call__(self, rows: pa.Table, _: Arrays) -> Arrays:
        frame = rows.select(list(self.columns)).to_pandas()
        has_names = hasattr(self.model, "feature_names_in_")
        # Trained on an array, it has no names to look at.
        given = frame if has_names else frame.to_numpy()
        with warnings.catch_warnings():
            # That a category of the sample is unknown is no news to its author.
            warnings.simplefilter("ignore", UserWarning)
            if self.is_classifier:
                return {"probability": self.model.predict_proba(given)}
            return {"prediction": self.model.predict(given)}


def _find_missing(model: _Pipeline, names: Sequence[str], sample: pa.Table) -> frozenset[str]:
    """Return the columns of numbers in which scikit-learn takes a missing value."""
    columns = {name: sample.column(name).combine_chunks() for name in model.columns}
    # One row, of a value that is there in each column.
    complete = {}
    for name, column in columns.items():
        present = column.drop_null()
        if not len(present):
            return frozenset(names)
        complete[name] = present.slice(0, 1)

    taken = set()
    for name in dict.fromkeys(names):
        missing = pa.nulls(1, columns[name].type)
        row = pa.table({**complete, name: missing})
        try:
            model(row, {})
        except ValueError:
            # So does scikit-learn refuse NaN.
            continue
        taken.add(name)
    return frozenset(taken)


def _load(job: PackagingJob[AnyStep], url: str) -> Any:
    path = Path(files.to_absolute(url))
    if not path.is_file():
        raise JobError(f"sklearn {url}: there is no such file")
    if path.suffix in _PICKLES:
        if not job.trust_this_file:
            raise JobError(
                f"sklearn {url}: is a pickle, which runs whatever its author put into it as soon as it "
                "is read; say trust_this_file if you wrote it yourself, or save it with skops.io.dump"
            )
        import joblib

        return joblib.load(path)
    io = import_library("skops.io", "sklearn")
    try:
        types = io.get_untrusted_types(file=path)
        foreign = [name for name in types if not name.startswith(_KNOWN_TYPES)]
        if foreign and not job.trust_this_file:
            listed = ", ".join(foreign)
            raise JobError(
                f"sklearn {url}: holds objects of {listed}, whose code reading it would "
                "run; say trust_this_file if you know them"
            )
        return io.load(path, trusted=types)
    except JobError:
        raise
    except Exception as error:  # skops reads an archive with whatever is in it
        reason = _shorten(error)
        raise ModelError(f"sklearn {url}: cannot be read: {reason}") from error


def _shorten(error: Exception) -> str:
    """Return an error as one line."""
    line = " ".join(str(error).split())
    return line[:_SHOWN_CHARACTERS]


def _choose_columns(job: PackagingJob[AnyStep], model: Any, sample: pa.Table) -> tuple[str, ...]:
    seen = choose_columns(job, sample)
    # An array of numpy's texts; None of a model that was trained on one of numbers.
    names = getattr(model, "feature_names_in_", None)
    wanted = tuple(seen) if names is None else tuple(map(str, names))
    missing = [name for name in wanted if name not in sample.column_names]
    if missing:
        lacking = ", ".join(missing)
        raise JobError(f"the model was trained on columns that the sample lacks: {lacking}")

    # What takes texts does not say how many.
    count = getattr(model, "n_features_in_", len(wanted))
    if len(wanted) != count:
        there = ", ".join(wanted)
        raise JobError(
            f"the model takes {count} columns and does not name them; the sample has "
            f"{len(wanted)}: {there}; name them in columns, in the model's order"
        )
    return wanted


def _split(model: Any) -> _Stages:
    if type(model).__name__ != "Pipeline":
        return _Stages([], model)
    parts = [part for _, part in model.steps]
    return _Stages(parts[:-1], parts[-1])


def _add_preprocessing(
    grown: Columns, stages: list[Any], columns: tuple[str, ...], url: str
) -> str:
    try:
        return _add_stages(grown, stages, columns)
    except NotTakenError as error:
        taken = ", ".join(list_taken())
        raise JobError(
            f"sklearn {url}: {error} is not taken; there are {taken} and passthrough "
            "for numbers, and OneHotEncoder, OrdinalEncoder, TargetEncoder for categories, in a "
            "ColumnTransformer or a Pipeline"
        ) from error


def _add_stages(grown: Columns, stages: list[Any], columns: tuple[str, ...]) -> str:
    """Add all of the preprocessing, and return the name of the estimator's features."""
    # Only the first stage sees the columns, and may have to do with categories.
    first = stages[0] if stages else None
    rest = stages[1:]
    if type(first).__name__ == "ColumnTransformer":
        features = _add_branches(grown, first, columns)
    elif first is not None and has_encoder(first):
        features = grown.add_categories(first, columns)
    else:
        features = grown.add_numbers("passthrough", columns)
        rest = stages
    for stage in rest:
        features = add_stage(grown, stage, features)
    return features


def _add_branches(grown: Columns, transformer: Any, columns: tuple[str, ...]) -> str:
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


def _read_task(estimator: Any, url: str) -> tuple[Activation, tuple[str, ...]]:
    """Return activation and labels."""
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        _refuse_several_numbers(estimator, url)
        return "none", ()
    if isinstance(classes, list):
        raise JobError(
            f"sklearn {url}: {type(estimator).__name__} gives several labels of its own kinds a row; "
            "of such, OneVsRestClassifier and MLPClassifier are taken, fitted on columns of 0 and 1"
        )
    if not hasattr(estimator, "predict_proba"):
        raise JobError(
            f"sklearn {url}: {type(estimator).__name__} gives no probabilities of one label; "
            "wrap it, in CalibratedClassifierCV for example"
        )
    labels = tuple(map(str, classes.tolist()))
    if _is_of_label_sets(estimator):
        # skl2onnx takes the two for the classes of one label, and gives four probabilities.
        if len(labels) == 2 and not hasattr(estimator, "estimators_"):
            raise JobError(
                f"sklearn {url}: {type(estimator).__name__} of two labels has no graph; "
                "wrap it in OneVsRestClassifier"
            )
        return "sigmoid", labels
    return ("sigmoid" if len(labels) == 2 else "softmax"), labels


def _refuse_several_numbers(estimator: Any, url: str) -> None:
    """Refuse trees whose leaves hold several numbers: their graph gives others than scikit-learn."""
    is_of_trees = type(estimator).__module__.startswith(("sklearn.ensemble", "sklearn.tree"))
    numbers = getattr(estimator, "n_outputs_", 1)
    if is_of_trees and numbers > 1:
        raise JobError(
            f"sklearn {url}: {type(estimator).__name__} gives {numbers} numbers a row; "
            "train one model for each of them, which is not computed exactly otherwise"
        )


def _is_of_label_sets(estimator: Any) -> bool:
    """Tell whether a row may have any number of the classes, which no public attribute says for all."""
    binarizer = getattr(estimator, "_label_binarizer", None)
    kind = str(getattr(binarizer, "y_type_", ""))
    return bool(getattr(estimator, "multilabel_", False)) or kind.startswith("multilabel")


def _make_graph(grown: Columns, features: str, estimator: Any, url: str) -> Any:
    """Return preprocessing, estimator and logits as one graph."""
    from onnx import TensorProto, helper
    from onnx.compose import merge_models

    kinds = {"numbers": TensorProto.DOUBLE, "codes": TensorProto.INT64}
    trees = make_tree_graph(estimator, f"sklearn {url}")
    # What skl2onnx writes takes float32; a graph that we write of trees says itself what it takes.
    kind = TensorProto.FLOAT if trees is None else get_input_kind(trees)
    given = grown.add("Cast", [features], to=kind)

    inputs = []
    for name, columns in _list_inputs(grown).items():
        shape = ["rows", len(columns)]
        described = helper.make_tensor_value_info(name, kinds[name], shape)
        inputs.append(described)
    given_shape = ["rows", estimator.n_features_in_]
    output = helper.make_tensor_value_info(given, kind, given_shape)
    before = helper.make_graph(grown.nodes, "columns", inputs, [output], grown.constants)
    first = helper.make_model(before, ir_version=_IR_VERSION)

    # Two models are merged only if they are of the same opsets.
    if trees is not None:
        _set_opsets(first, _TREE_OPSETS)
        return merge_models(first, trees, io_map=[(given, "x")])
    second = _convert_estimator(estimator, url)
    _set_opsets(first, _OPSETS)
    merged = merge_models(first, second, io_map=[(given, "estimator_features")])
    classes = getattr(estimator, "classes_", ())
    finish_graph(merged, len(classes), _is_of_label_sets(estimator))
    return merged


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
        reason = _shorten(error)
        raise JobError(f"sklearn {url}: skl2onnx does not take {kind}: {reason}") from error
    model.ir_version = _IR_VERSION
    _set_opsets(model, _OPSETS)
    return add_prefix(model, "estimator_")
