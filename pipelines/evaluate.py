"""How good published scores are: join them to labels by key, and print the metrics.

For example `python -m pipelines.evaluate --output scores/breast_cancer --labels
samples/breast_cancer/labels.parquet --key id --label diagnosis`. Scores and labels may be Parquet
or CSV; they are read as the types that the run's manifest states, and CSV by scoring's own reader.
Where the prediction is a floating-point number the task is regression, else classification;
`--task` says otherwise.
"""

import argparse
from collections.abc import Mapping, Sequence
import json
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError
from configs.job import Csv
from configs.load import parse_fields, parse_set
from configs.redaction import shown
from model_zoo.evaluation.metrics import Evaluation, evaluate, render
from model_zoo.evaluation.regression import RegressionFigures, compare_numbers
from pipelines.cli.command_line import Parser, run_program
from pipelines.cli.shutdown import end_process
from pipelines.cli.terminal import make_harmless, write_result
from pipelines.evaluating.tables import read_scores, read_table
from storage.layout import read_manifest
from transforms.formats.csv import parse_dialect
from transforms.formats.csv_dialect import CsvDialect

Manifest: TypeAlias = Mapping[str, Any]
_CSV_EXAMPLE = "a field of source.csv=value, for example --csv delimiter=';'"


def main(argv: Sequence[str]) -> int:
    """Evaluate as the command line says, and return the exit status."""
    arguments = _parse(argv)
    evaluation = _evaluate(arguments)
    text = make_harmless(_render(evaluation))
    if arguments.json:
        figures = evaluation.as_dict()
        text = json.dumps(figures, indent=1)
    write_result(text, "the metrics")
    return 0


def find_true_labels(
    scored_keys: pa.ChunkedArray,
    keys: pa.ChunkedArray,
    labels: pa.ChunkedArray,
    url: str,
) -> pa.ChunkedArray:
    """Return the label of each scored key, in its own type.

    Args:
        scored_keys: of the scores.
        keys, labels: of the labels, row by row.
        url: file of the labels, for errors.

    Raises:
        InputError: a key that is missing, stands twice, or has no label.
    """
    # A labels' file of another origin may hold the same numbers in another width.
    keys = _to_type(keys, scored_keys.type, url)
    _refuse_doubles("the scored rows", scored_keys)
    _refuse_doubles(url, keys)
    # The labels' file may have more rows, in any order.
    value_set = keys.combine_chunks()
    rows = pc.index_in(scored_keys, value_set=value_set)
    found = labels.take(rows)
    missing = found.null_count
    if not missing:
        return found
    is_missing = found.is_null()
    without_label = scored_keys.filter(is_missing)
    first = without_label[0].as_py()
    raise InputError(
        f"{url}: has no label for {missing} of {len(scored_keys)} scored rows, "
        f"the first with key {first!r}"
    )


def order_labels(
    truth: Sequence[str],
    predicted: Sequence[str],
    classes: str | None,
    manifest: Manifest,
) -> list[str]:
    """Return labels by class number: as the command line says, else the manifest, else sorted.

    Args:
        truth, predicted: labels of the rows.
        classes: what the command line says: names with commas between them.
        manifest: of the run.
    """
    known = _list_known(classes, manifest)
    if classes is not None:
        return known
    found = {*truth, *predicted}
    # The labels' file may know others than the model; then nobody knows an order.
    is_ordered = bool(known) and found <= set(known)
    if not is_ordered:
        return sorted(found)
    return known


def _list_known(classes: str | None, manifest: Manifest) -> list[str]:
    if classes is not None:
        return [name.strip() for name in classes.split(",")]
    of_job = manifest["job"]["postprocess"].get("labels")
    return list(of_job or manifest["model"].get("labels") or [])


def refuse_strangers(
    truth: Sequence[str], predicted: Sequence[str], names: Sequence[str], what: str
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


def to_type_of(labels: pa.ChunkedArray, predicted: pa.DataType) -> pa.ChunkedArray:
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


def to_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return labels as text, whatever they were stored as.

    Raises:
        InputError: they have no text.
    """
    try:
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise InputError(f"labels of type {column.type} cannot be compared as text") from error


def to_scores(column: pa.ChunkedArray | None, labels: int) -> np.ndarray | None:
    """Return probabilities (rows,) of the second of two labels, or (rows, labels) from lists.

    Args:
        column: floats, or lists of them; None where the run has none.
        labels: how many there are.

    Returns:
        None where the column holds neither.
    """
    if column is None or column.null_count:
        return None
    if pa.types.is_floating(column.type):
        # Of more than two labels a single number, the best one's, says too little.
        if labels == 2:
            return column.to_numpy()
        return None
    values = column.combine_chunks().flatten()
    numbers = values.to_numpy(zero_copy_only=False)
    return numbers.reshape(len(column), -1)


def _evaluate(arguments: argparse.Namespace) -> Evaluation | RegressionFigures:
    key = arguments.key
    prediction = arguments.prediction
    probability = arguments.probability
    run, manifest = read_manifest(arguments.output)
    scores = read_scores(run, manifest, key, prediction, probability)

    predicted = scores.column(prediction)
    missing = predicted.null_count
    if missing:
        raise InputError(f"{run.published}: {missing} rows have no {prediction!r}")

    task = arguments.task or _find_task(predicted.type)
    if task == "regression":
        labels = _read_true_labels(arguments, scores.column(key), pa.float64())
        return compare_numbers(
            _to_numbers(labels, f"{arguments.labels}: {arguments.label!r}"),
            _to_numbers(predicted, f"{run.published}: {prediction!r}"),
        )
    labels = _read_true_labels(arguments, scores.column(key), pa.string())
    truth = to_text(to_type_of(labels, predicted.type)).to_pylist()
    predicted_labels = to_text(predicted).to_pylist()

    names = order_labels(truth, predicted_labels, arguments.classes, manifest)
    what = f"{arguments.labels}: {arguments.label!r}, and {prediction!r} of the scores"
    refuse_strangers(truth, predicted_labels, _list_known(arguments.classes, manifest), what)
    column = None
    if probability in scores.column_names:
        column = scores.column(probability)
    probabilities = to_scores(column, len(names))
    return evaluate(truth, predicted_labels, names, probabilities)


def _render(evaluation: Evaluation | RegressionFigures) -> str:
    if isinstance(evaluation, RegressionFigures):
        return evaluation.render()
    return render(evaluation)


def _find_task(predicted: pa.DataType) -> str:
    # Classes are texts, integers or truth values; a number with a fraction is an amount.
    is_amount = pa.types.is_floating(predicted) or pa.types.is_decimal(predicted)
    return "regression" if is_amount else "classification"


def _is_number(dtype: pa.DataType) -> bool:
    types = pa.types
    return types.is_boolean(dtype) or types.is_integer(dtype) or types.is_floating(dtype)


def _to_numbers(column: pa.ChunkedArray, what: str) -> np.ndarray:
    """Return a column as float64 (rows,).

    Raises:
        InputError: it holds no numbers.
    """
    try:
        return column.cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise InputError(
            f"{what}: a column of type {column.type} holds no numbers to compare; "
            "name another, or say --task classification"
        ) from error


def _read_true_labels(
    arguments: argparse.Namespace,
    scored_keys: pa.ChunkedArray,
    dtype: pa.DataType,
) -> pa.ChunkedArray:
    """Return the label of each scored key, from the labels' file; of CSV as the type `dtype`."""
    url = arguments.labels
    key = arguments.key
    label = arguments.label
    # A CSV file's keys are read as what they are compared with.
    columns = {key: scored_keys.type, label: dtype}
    table = read_table(url, columns, _parse_dialect(arguments.csv))
    keys = table.column(key)
    labels = table.column(label)
    return find_true_labels(scored_keys, keys, labels, url)


def _parse_dialect(texts: Sequence[str]) -> CsvDialect:
    """Return what a labels' file means, as the command line says."""
    overrides = [parse_set(text, "--csv", _CSV_EXAMPLE) for text in texts]
    csv = parse_fields(Csv, "--csv", overrides)
    return parse_dialect(**csv.model_dump(), max_expansion=None)


def _to_type(keys: pa.ChunkedArray, wanted: pa.DataType, url: str) -> pa.ChunkedArray:
    if keys.type == wanted:
        return keys
    try:
        return keys.cast(wanted)
    except pa.ArrowException as error:
        # Arrow's own text may quote a key.
        reason = shown(error)
        raise InputError(
            f"{url}: its keys of type {keys.type} cannot be matched with {wanted}: {reason}"
        ) from error


def _refuse_doubles(place: str, keys: pa.ChunkedArray) -> None:
    if keys.null_count:
        raise InputError(f"{place}: {keys.null_count} rows have no key, so they cannot be matched")
    distinct = pc.count_distinct(keys).as_py()
    count = len(keys)
    if count != distinct:
        raise InputError(
            f"{place}: {count} keys, but only {distinct} different ones, so rows cannot be matched"
        )


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser("pipelines.evaluate", "Compare published scores with labels, joined by key.")
    output = "output folder of pipelines.score"
    parser.add_argument("--output", required=True, metavar="FOLDER", help=output)
    labels = "Parquet or CSV file with key and label"
    parser.add_argument("--labels", required=True, metavar="FILE", help=labels)
    csv = "a field of source.csv, for a labels' file in CSV; as often as needed"
    parser.add_argument("--csv", action="append", default=[], metavar="FIELD=VALUE", help=csv)
    parser.add_argument("--key", required=True, metavar="COLUMN", help="key column, in both")
    label = "label column in --labels"
    parser.add_argument("--label", required=True, metavar="COLUMN", help=label)
    prediction = "column of predicted labels (default: label)"
    parser.add_argument("--prediction", default="label", metavar="COLUMN", help=prediction)
    probability = (
        "column of the second label's probability, or of all labels' as a list, for ROC AUC "
        "(default: probability)"
    )
    parser.add_argument("--probability", default="probability", metavar="COLUMN", help=probability)
    classes = (
        "labels by class number; of two, the second is the positive one (default: the model's)"
    )
    tasks = ("classification", "regression")
    task = "what the predictions are (default: regression where they are floating-point numbers)"
    parser.add_argument("--task", choices=tasks, help=task)
    parser.add_argument("--classes", metavar="A,B,...", help=classes)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser.parse_whole(argv)


if __name__ == "__main__":
    end_process(run_program(main))
