"""Labels and probabilities of one class a row, as metrics take them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyarrow import ChunkedArray, DataType
from pyarrow.types import is_floating

from configs.errors import InputError
from pipelines.evaluating.question import Manifest


def order_labels(
    truth: Sequence[str],
    predicted: Sequence[str],
    classes: Sequence[str] | None,
    manifest: Manifest,
) -> list[str]:
    """Return labels by class number: as the command line says, else the manifest, else sorted.

    Args:
        truth, predicted: labels of the rows.
        classes: what the command line says, or None.
        manifest: of the run.
    """
    known = list_known(classes, manifest)
    if classes is not None:
        return known
    found = {*truth, *predicted}
    # The labels' file may know others than the model; then nobody knows an order.
    is_ordered = bool(known) and found <= set(known)
    if not is_ordered:
        return sorted(found)
    return known


def list_known(classes: Sequence[str] | None, manifest: Manifest) -> list[str]:
    """Return labels by class number: as the command line says, else the job, else the model.

    Args:
        classes: as for `order_labels`.
        manifest: of the run.
    """
    if classes is not None:
        return list(classes)
    of_job = manifest["job"]["postprocess"].get("labels")
    return list(of_job or manifest["model"].get("labels") or [])


def refuse_strangers(
    truth: Sequence[str],
    predicted: Sequence[str],
    names: Sequence[str],
    what: str,
) -> None:
    """Refuse labels of which none was ever predicted.

    They are of another kind than the predictions: numbers of classes and their names, for example.

    Args:
        truth, predicted: labels of the rows.
        names: labels that the model, the job or the command line knows.
        what: the two columns, for the error.

    Raises:
        InputError: no true label is among the predicted ones, and none is known to the model.
    """
    true_labels = set(truth)
    known = {*predicted, *names}
    if true_labels & known:
        return
    raise InputError(
        f"{what}: no label of the one ({len(true_labels):,} different) is among those of the other "
        f"({len(set(predicted)):,} different), so no prediction could be right; name another "
        "--label or --prediction, or --task regression for numbers"
    )


def to_type_of(labels: ChunkedArray, predicted: DataType) -> ChunkedArray:
    """Return labels as numbers of the predictions' type, where both are numbers or truth values.

    So 1.0 and true are the class 1.

    Args:
        labels: the true ones.
        predicted: type of the predictions.
    """
    if not (_is_number(labels.type) and _is_number(predicted)):
        return labels
    try:
        return labels.cast(predicted)
    except pa.ArrowInvalid:
        # 0.5 is no class; it stays what it is, and is found among no predictions.
        return labels


def to_text(column: ChunkedArray) -> ChunkedArray:
    """Return labels as text, whatever they were stored as.

    Raises:
        InputError: they have no text.
    """
    try:
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise InputError(f"labels of type {column.type} cannot be compared as text") from error


def to_scores(column: ChunkedArray | None, labels: int) -> np.ndarray | None:
    """Return probabilities (rows,) of the second of two labels, or (rows, labels) from lists.

    Args:
        column: floats, or lists of them; None where the run has none.
        labels: how many there are.

    Returns:
        None where the column holds neither.
    """
    if column is None or column.null_count:
        return None
    if is_floating(column.type):
        # Of more than two labels a single number, the best one's, says too little.
        if labels == 2:
            return column.to_numpy()
        return None
    values = column.combine_chunks().flatten()
    numbers = values.to_numpy(zero_copy_only=False)
    return numbers.reshape(len(column), -1)


def _is_number(dtype: DataType) -> bool:
    types = pa.types
    return types.is_boolean(dtype) or types.is_integer(dtype) or types.is_floating(dtype)
