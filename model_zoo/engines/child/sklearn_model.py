"""A `.skops` file, in the child: an estimator or a Pipeline of scikit-learn, called with a table as its author does."""

from collections.abc import Mapping
import io
from typing import Any
import zipfile

import numpy as np

from model_zoo.engines.child.messages import Arrays, MakeCall
from model_zoo.engines.child.skops_types import TYPES
from model_zoo.engines.child.tree_nodes import check_estimator

# As model_zoo.steps.text_bytes writes texts.
_MISSING = b"\xfe"
_END = b"\xff"
# A probability of 0 has no logarithm; this one is 0 in every table.
_LEAST = 1e-38
# Of two classes equally probable scikit-learn takes the first, and a sigmoid's threshold the second.
_TIE = -1e-9
# Numbers of an archive may be packed, and its description is text.
_UNPACKED_OF_ONE = 20
_UNPACKED_AT_LEAST = 1 << 20


def load(content: bytes, card: Mapping[str, Any]) -> MakeCall:
    """Return what makes a call for each thread.

    Args:
        content: of the file.
        card: with the inputs, which are columns in the model's order, and the output: `logit`, or
            `prediction`.

    Raises:
        ValueError: it holds what is not scikit-learn's own, or a tree of it is none.
    """
    import joblib

    model = open_model(content)
    check_estimator(model)
    outputs = card["outputs"]
    ((output, tensor),) = outputs.items()
    is_of_classes = output == "logit"
    # Of a single label a row has one number, and no shape.
    is_of_several = bool(tensor["shape"])
    is_of_label_sets = is_of_several and card["activation"] == "sigmoid"

    def compute(inputs: Arrays) -> Arrays:
        given = make_table(model, inputs)
        # A forest on several threads adds its trees up in whichever order they end.
        with joblib.parallel_config(backend="sequential"):
            scores = predict(model, given, is_of_classes)
        if is_of_classes:
            scores = to_logits(scores, is_of_label_sets)
        return {output: scores}

    return lambda: compute


def open_model(content: bytes) -> Any:
    """Return the model in a file.

    Raises:
        ValueError: it holds what is not scikit-learn's own, or unpacks to far more than it is.
    """
    file = io.BytesIO(content)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ValueError("it is no .skops file") from error
    most = _UNPACKED_AT_LEAST + _UNPACKED_OF_ONE * len(content)
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > most:
        raise ValueError(f"it unpacks to more than the {most:,} bytes that it may")
    foreign = list_foreign(content)
    if foreign:
        listed = ", ".join(foreign)
        raise ValueError(
            f"it holds {listed}, which is not scikit-learn's own, and is not made here"
        )
    import skops.io

    # Bound to a name of its own: it reads bytes, and of trusted types alone.
    read = skops.io.loads
    trusted = list(TYPES)
    return read(content, trusted=trusted)


def list_foreign(content: bytes) -> list[str]:
    """Return the types in a file that are not scikit-learn's own.

    Raises:
        Exception: of skops, which does not read the file.
    """
    import skops.io

    types = skops.io.get_untrusted_types(data=content)
    return [name for name in types if name not in TYPES]


def make_table(model: Any, inputs: Mapping[str, np.ndarray]) -> Any:
    """Return rows as a model was trained on them: a DataFrame, an array, or texts.

    Args:
        model: the estimator.
        inputs: one array of numbers (rows, columns), or one for each column: numbers (rows,), texts
            as bytes (rows, length).
    """
    import pandas as pd

    first = next(iter(inputs.values()))
    if len(inputs) == 1 and _is_matrix(first):
        names = getattr(model, "feature_names_in_", None)
        if names is None:
            return first
        return pd.DataFrame(first, columns=names)
    columns: dict[str, Any] = {}
    for name, array in inputs.items():
        columns[name] = array
        if array.ndim == 2:
            texts = _decode(array)
            columns[name] = pd.Series(texts, dtype="str")
    frame = pd.DataFrame(columns)
    return choose_table(model, frame)


def _is_matrix(array: np.ndarray) -> bool:
    """Tell whether an array holds several numbers of a row, and not the bytes of a text."""
    return array.ndim == 2 and array.dtype != np.uint8


def choose_table(model: Any, frame: Any) -> Any:
    """Return a DataFrame as a model takes it.

    Args:
        model: the estimator.
        frame: columns in its order.
    """
    if hasattr(model, "feature_names_in_"):
        return frame
    # What counts the words of texts takes a list of them, and not a table of one column.
    is_single = len(frame.columns) == 1
    if is_single and not hasattr(model, "n_features_in_"):
        texts = frame.iloc[:, 0]
        return texts.to_numpy()
    return frame.to_numpy()


def _decode(array: np.ndarray) -> list[str | None]:
    """Return texts of bytes (rows, length)."""
    texts: list[str | None] = []
    for row in array:
        whole = row.tobytes()
        content, _, _ = whole.partition(_END)
        text = None
        if content != _MISSING:
            text = content.decode()
        texts.append(text)
    return texts


def predict(model: Any, given: Any, is_of_classes: bool) -> np.ndarray:
    """Return probabilities (rows, classes), or numbers.

    Args:
        model: the estimator.
        given: rows, as it takes them.
        is_of_classes: whether probabilities are wanted.
    """
    if not is_of_classes:
        return np.asarray(model.predict(given))
    probabilities = model.predict_proba(given)
    if not isinstance(probabilities, list):
        return np.asarray(probabilities)
    # Of several labels some estimators give two classes each: without, and with the label.
    with_label = [of_label[:, 1] for of_label in probabilities]
    return np.stack(with_label, axis=1)


def to_logits(probabilities: np.ndarray, is_of_label_sets: bool) -> np.ndarray:
    """Return logits (rows, classes), or (rows,) of two classes.

    Args:
        probabilities: (rows, classes).
        is_of_label_sets: whether a row may have any number of the classes.
    """
    wide = probabilities.astype(np.float64)
    logarithms = _take_logarithm(wide)
    if is_of_label_sets:
        without = _take_logarithm(1 - wide)
        return logarithms - without
    classes = wide.shape[1]
    if classes != 2:
        return logarithms
    first = logarithms[:, 0]
    second = logarithms[:, 1]
    difference = second - first
    is_tie = difference == 0
    difference[is_tie] = _TIE
    return difference


def _take_logarithm(probabilities: np.ndarray) -> np.ndarray:
    positive = np.maximum(probabilities, _LEAST)
    logarithms: np.ndarray = np.log(positive)
    return logarithms
