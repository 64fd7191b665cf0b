"""How good published scores are: join them to labels by key, and print the metrics.

For example `python -m pipelines.evaluate --output scores/breast_cancer --labels samples/breast_cancer/labels.parquet --key id
--label diagnosis`. Scores and labels may be Parquet or CSV; they are read as the types that the run's manifest states.
"""

import argparse
from collections.abc import Mapping, Sequence
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from configs.errors import InputError, JobError
from configs.load import nearest
from configs.messages import shown
from model_zoo.evaluation import evaluate, render
from pipelines.arrow_types import parse_type
from pipelines.command_line import Parser, run_program
from pipelines.leaving import leave
from storage import files
from storage.layout import RunFolder, read_manifest


def main(argv: Sequence[str]) -> int:
    """Evaluate as the command line says, and return the exit status."""
    arguments = _parse(argv)
    run, manifest = read_manifest(arguments.output)
    scores = read_scores(run, manifest, arguments.key, arguments.prediction, arguments.probability)
    key_type = scores.schema.field(arguments.key).type
    labels = read_table(arguments.labels, {arguments.key: key_type, arguments.label: pa.string()})
    truth = true_labels(
        scores.column(arguments.key), labels.column(arguments.key), labels.column(arguments.label), arguments.labels
    )
    predicted = as_text(scores.column(arguments.prediction))
    if predicted.null_count:
        raise InputError(f"{run.published}: {predicted.null_count} rows have no {arguments.prediction!r}")
    names = label_order(truth.to_pylist(), predicted.to_pylist(), arguments.classes, manifest)
    probability = scores.column(arguments.probability) if arguments.probability in scores.column_names else None
    evaluation = evaluate(truth.to_pylist(), predicted.to_pylist(), names, as_scores(probability, len(names)))
    print(json.dumps(evaluation.as_dict(), indent=1) if arguments.json else render(evaluation))
    return 0


def read_scores(run: RunFolder, manifest: Mapping[str, Any], key: str, prediction: str, probability: str) -> pa.Table:
    """Key, prediction, and (where the run has it) probability of every scored row of a published run.

    Raises:
        InputError: a column that the run does not have, a file that cannot be read, or no rows.
    """
    types = {column["name"]: column["type"] for column in manifest["schema"]}
    for name in (key, prediction):
        if name not in types:
            raise InputError(f"{run.published}: has no column {name!r}{nearest(name, list(types))}")
    wanted = dict.fromkeys([key, prediction, *([probability] if probability in types else [])])
    declared = {name: _declared(types[name]) for name in wanted}
    tables = [read_table(f"{run.published}/{entry['path']}", declared) for entry in manifest["files"] if entry["rows"]]
    if not tables:
        raise InputError(f"{run.published}: has no scored rows to evaluate")
    return pa.concat_tables(tables)


def read_table(url: str, columns: Mapping[str, pa.DataType | None]) -> pa.Table:
    """Some columns of a Parquet or CSV file, told apart by its ending; a CSV file's text is read as the given types.

    Raises:
        InputError: the file cannot be read, or lacks a column.
    """
    read = _read_csv if url.endswith((".csv", ".csv.gz", ".csv.zst")) else _read_parquet
    try:
        with files.open_read(url) as file:
            return read(file, columns, url)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{url}: cannot be read: {error}; it must be a Parquet or CSV file") from error


def true_labels(scored_keys: pa.ChunkedArray, keys: pa.ChunkedArray, labels: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """The label of each scored key, as text.

    Args:
        where: file of the labels, for errors.

    Raises:
        InputError: a key that is missing, stands twice, or has no label.
    """
    if keys.type != scored_keys.type:
        try:
            keys = keys.cast(scored_keys.type)
        except pa.ArrowException as error:
            raise InputError(
                f"{where}: its keys of type {keys.type} cannot be matched with {scored_keys.type}: {shown(error)}"
            ) from error
    _refuse_doubles("the scored rows", scored_keys)
    _refuse_doubles(where, keys)
    found = as_text(labels).take(pc.index_in(scored_keys, value_set=keys.combine_chunks()))
    if found.null_count:
        first = scored_keys.filter(found.is_null())[0].as_py()
        raise InputError(
            f"{where}: has no label for {found.null_count} of {len(scored_keys)} scored rows, the first with key {first!r}"
        )
    return found


def label_order(truth: Sequence[str], predicted: Sequence[str], classes: str | None, manifest: Mapping[str, Any]) -> list[str]:
    """Labels by class number: as the command line says, else as the manifest says, else sorted.

    Raises:
        InputError: a label that is not among them.
    """
    if classes is not None:
        return [name.strip() for name in classes.split(",")]
    known = list(manifest["job"]["postprocess"].get("labels") or manifest["model"].get("labels") or [])
    found = {*truth, *predicted}
    return known if known and found <= set(known) else sorted(found)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Labels as text, whatever they were stored as."""
    try:
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise InputError(f"labels of type {column.type} cannot be compared as text") from error


def as_scores(column: pa.ChunkedArray | None, labels: int) -> np.ndarray | None:
    """Probabilities (rows,) of the second of two labels, or (rows, labels) from lists; None where the column holds neither."""
    if column is None or column.null_count:
        return None
    if pa.types.is_floating(column.type):
        return column.to_numpy() if labels == 2 else None
    values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), -1)


def _refuse_doubles(where: str, keys: pa.ChunkedArray) -> None:
    if keys.null_count:
        raise InputError(f"{where}: {keys.null_count} rows have no key, so they cannot be matched")
    if len(keys) != (distinct := pc.count_distinct(keys).as_py()):
        raise InputError(f"{where}: {len(keys)} keys, but only {distinct} different ones, so rows cannot be matched")


def _declared(text: str) -> pa.DataType | None:
    """The type of a plain column; None for a list, which only Parquet holds."""
    try:
        return parse_type(text, "manifest.json schema")
    except JobError:
        return None


def _read_parquet(file: Any, columns: Mapping[str, pa.DataType | None], url: str) -> pa.Table:
    parquet = pq.ParquetFile(file)
    _check_columns(url, columns, parquet.schema_arrow.names)
    return parquet.read(list(columns))


def _read_csv(file: Any, columns: Mapping[str, pa.DataType | None], url: str) -> pa.Table:
    name = url.rsplit(".", 1)[1]
    stream = pa.input_stream(file, compression={"gz": "gzip", "zst": "zstd"}.get(name))
    types = {name: dtype for name, dtype in columns.items() if dtype is not None}
    table = pacsv.read_csv(
        stream,
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""]),
    )
    _check_columns(url, columns, table.column_names)
    return table.select(list(columns))


def _check_columns(url: str, columns: Mapping[str, pa.DataType | None], names: Sequence[str]) -> None:
    for name in columns:
        if name not in names:
            raise InputError(f"{url}: has no column {name!r}{nearest(name, names)}")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser("pipelines.evaluate", "Compare published scores with labels, joined by key.")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="output folder of pipelines.score")
    parser.add_argument("--labels", required=True, metavar="FILE", help="Parquet or CSV file with key and label")
    parser.add_argument("--key", required=True, metavar="COLUMN", help="key column, in both")
    parser.add_argument("--label", required=True, metavar="COLUMN", help="label column in --labels")
    parser.add_argument("--prediction", default="label", metavar="COLUMN", help="column of predicted labels (default: label)")
    parser.add_argument(
        "--probability",
        default="probability",
        metavar="COLUMN",
        help="column of the second label's probability, or of all labels' as a list, for ROC AUC (default: probability)",
    )
    parser.add_argument(
        "--classes", metavar="A,B,...", help="labels by class number; of two, the second is the positive one (default: the model's)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments, unknown = parser.parse_known_args(list(argv))
    parser.refuse_unknown(unknown)
    return arguments


if __name__ == "__main__":
    leave(run_program(main))
