"""A fitted model of scikit-learn -> a `.skops` file, which scikit-learn itself scores.

Each column of the model is an input of its own type, texts as bytes; a table of numbers of one type is one
array.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from configs.errors import JobError
from model_zoo.arrays import Arrays
from model_zoo.engines.child.sklearn_model import list_foreign, to_logits
from model_zoo.steps.text_bytes import TextBytes
from pipelines.packing.contract.logical_types import to_logical_type
from pipelines.packing.converters.converted import Activation, Converted, Native, OwnForm
from pipelines.packing.converters.sklearn_logits import choose_finish
from pipelines.packing.converters.text_lengths import choose_text_length
from pipelines.packing.libraries import import_library

_NUMBERS = "numbers"
_SIDE_BY_SIDE = {"float32", "float64"}


class OwnTask(NamedTuple):
    """What the scores of a model are.

    Attributes:
        activation: that makes probabilities of its logits.
        labels: of its classes.
        is_of_label_sets: whether a row may have any number of them.
    """

    activation: Activation
    labels: tuple[str, ...] = ()
    is_of_label_sets: bool = False


def read_own_task(estimator: Any, what: str) -> OwnTask:
    """Return what the scores of a model are that scikit-learn computes.

    Args:
        estimator: fitted, the last one of a Pipeline.
        what: the model, for messages.

    Raises:
        JobError: they are no probabilities, nor numbers.
    """
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return OwnTask("none")
    kind = type(estimator).__name__
    if not hasattr(estimator, "predict_proba"):
        raise JobError(
            f"{what}: {kind} gives no probabilities of one label; "
            "wrap it, in CalibratedClassifierCV for example"
        )
    if isinstance(classes, list):
        counts = {len(of_label) for of_label in classes}
        # Of each label two: that a row has it, and that it has not.
        if counts != {2}:
            raise JobError(
                f"{what}: {kind} gives several labels of more than two kinds a row; "
                "train one model for each of them"
            )
        numbers = range(len(classes))
        return OwnTask("sigmoid", tuple(map(str, numbers)), is_of_label_sets=True)
    labels = tuple(map(str, classes.tolist()))
    if is_of_label_sets(estimator):
        return OwnTask("sigmoid", labels, is_of_label_sets=True)
    return OwnTask("sigmoid" if len(labels) == 2 else "softmax", labels)


def is_of_label_sets(estimator: Any) -> bool:
    """Tell whether a row may have any number of the classes, which no public attribute says for all."""
    says_so = getattr(estimator, "multilabel_", False)
    if says_so:
        return True
    binarizer = getattr(estimator, "_label_binarizer", None)
    kind = getattr(binarizer, "y_type_", "")
    return str(kind).startswith("multilabel")


def keep_as_skops(
    model: Any,
    native: Native,
    columns: Sequence[str],
    takes_missing: frozenset[str],
    task: OwnTask,
    sample: pa.Table,
    lengths: Mapping[str, int],
    what: str,
) -> Converted:
    """Return the model as its own library keeps it.

    Args:
        model: fitted.
        native: what it gives.
        columns: those that it takes, in its order.
        takes_missing: those of which it takes missing values.
        task: what its scores are.
        sample: rows as it was trained on.
        lengths: of texts in bytes, by column, where the author says so.
        what: the model, for messages.

    Raises:
        JobError: it holds what is not scikit-learn's own, or columns that are neither numbers nor
            texts.
    """
    content = _dump(model, what)
    taken = _choose_inputs(columns, takes_missing, sample, lengths, what)

    def begin(given: Arrays) -> Arrays:
        if task.activation == "none":
            return given
        probabilities = given["probability"]
        return {"logit": to_logits(probabilities, task.is_of_label_sets)}

    return Converted(
        graph=None,
        dtypes=taken.dtypes,
        native=native,
        library="scikit-learn",
        own=OwnForm("skops", content),
        columns=tuple(columns),
        inputs=taken.inputs,
        steps=tuple(taken.steps),
        takes_missing=takes_missing,
        activation=task.activation,
        labels=task.labels,
        finish=choose_finish(task.activation, task.is_of_label_sets),
        begin=begin,
        notes=(f"{type(model).__name__}, which scikit-learn itself computes",),
    )


class _Taken(NamedTuple):
    """What the model takes: inputs and their dtypes by name, and the steps that make them."""

    inputs: dict[str, str | tuple[str, ...]]
    dtypes: dict[str, str]
    steps: list[TextBytes]


def _choose_inputs(
    columns: Sequence[str],
    takes_missing: frozenset[str],
    sample: pa.Table,
    lengths: Mapping[str, int],
    what: str,
) -> _Taken:
    """Return one input for each column, or one for all where they are numbers of one type."""
    taken = _Taken({}, {}, [])
    for name in columns:
        column = sample.column(name).combine_chunks()
        stored = to_logical_type(column.type)
        taken.inputs[name] = name
        if not pa.types.is_string(stored):
            may_miss = name in takes_missing
            taken.dtypes[name] = _find_dtype(name, column, may_miss, what)
            continue
        length = lengths.get(name) or choose_text_length(column)
        step = TextBytes(step="text_bytes", column=name, length=length)
        taken.steps.append(step)
        taken.dtypes[name] = "uint8"
    dtypes = set(taken.dtypes.values())
    # Side by side where nothing of their types is lost, as scikit-learn would put them.
    if len(dtypes) == 1 and dtypes <= _SIDE_BY_SIDE:
        (dtype,) = dtypes
        return _Taken({_NUMBERS: tuple(columns)}, {_NUMBERS: dtype}, [])
    return taken


def _dump(model: Any, what: str) -> bytes:
    import_library("skops.io", "sklearn")
    import skops.io

    # Bound to a name of its own: it writes to memory, and what saves to a path is storage's alone.
    to_bytes = skops.io.dumps
    try:
        content: bytes = to_bytes(model)
    except Exception as error:  # of types that skops does not know
        raise JobError(f"{what}: skops cannot keep it: {error}") from error
    foreign = list_foreign(content)
    if foreign:
        listed = ", ".join(foreign)
        raise JobError(
            f"{what}: holds {listed}, which is not scikit-learn's own, so no package can hold it; "
            "train it without"
        )
    return content


def _find_dtype(
    name: str,
    column: pa.Array,
    takes_missing: bool,
    what: str,
) -> str:
    if pa.types.is_boolean(column.type) and not column.null_count:
        return "bool"
    if pa.types.is_float32(column.type):
        return "float32"
    if pa.types.is_floating(column.type):
        return "float64"
    if pa.types.is_integer(column.type):
        # A number that is missing is NaN, which no integer is.
        return "float64" if takes_missing or column.null_count else "int64"
    raise JobError(
        f"{what}: takes column {name!r} of type {column.type}; give it numbers and texts"
    )
