"""How good published scores are: join them to labels by key, and print the metrics.

python -m pipelines.evaluate --output scores/breast_cancer --labels samples/breast_cancer/labels.parquet --key id --label diagnosis
"""

import argparse
from collections.abc import Mapping, Sequence
import json
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import InputError
from model_zoo.evaluation import evaluate, render
from pipelines.command_line import Parser, leave, run_program
from storage import files
from storage.layout import RunFolder, read_manifest


def main(argv: Sequence[str]) -> int:
    """Evaluate as the command line says, and return the exit status."""
    arguments = _parse(argv)
    run, manifest = read_manifest(arguments.output)
    scores = read_scores(run, manifest, [arguments.key, arguments.prediction, arguments.probability])
    rows = join_labels(scores, read_table(arguments.labels), arguments.key, arguments.label)
    labels = _labels_in_order(rows[arguments.label], rows[arguments.prediction], arguments.positive)
    probability = rows[arguments.probability].to_numpy(dtype=np.float64) if len(labels) == 2 else None
    evaluation = evaluate(
        rows[arguments.label].astype(str).tolist(), rows[arguments.prediction].astype(str).tolist(), labels, probability
    )
    print(json.dumps(evaluation.as_dict()) if arguments.json else render(evaluation))
    return 0


def read_scores(run: RunFolder, manifest: Mapping[str, Any], columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of every file of a published run.

    Raises:
        InputError: a column that the run does not have.
    """
    scores = pd.concat([read_table(f"{run.published}/{entry['path']}") for entry in manifest["files"]], ignore_index=True)
    for column in columns:
        if column not in scores:
            raise InputError(f"{run.published}: has no column {column!r}; there are {', '.join(scores.columns)}")
    return scores[list(columns)]


def join_labels(scores: pd.DataFrame, labels: pd.DataFrame, key: str, label: str) -> pd.DataFrame:
    """Every score with its label.

    Raises:
        InputError: a missing column, a key that stands twice, or a score without a label.
    """
    for column in (key, label):
        if column not in labels:
            raise InputError(f"--labels: has no column {column!r}; there are {', '.join(labels.columns)}")
    for what, frame in (("the scores", scores), ("--labels", labels)):
        if doubles := int(frame[key].duplicated().sum()):
            raise InputError(f"{what}: {doubles} values of {key!r} stand more than once, so rows cannot be matched")
    joined = scores.merge(labels[[key, label]], on=key, how="left", suffixes=("_scored", ""))
    if missing := int(joined[label].isna().sum()):
        raise InputError(f"--labels: has no label for {missing} of {len(scores)} scored rows")
    return joined


def read_table(url: str) -> pd.DataFrame:
    """A Parquet or CSV file, by its ending."""
    try:
        with files.open_read(url) as file:
            return pd.read_csv(file) if url.endswith(".csv") else pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{url}: cannot be read: {error}") from error


def _labels_in_order(actual: pd.Series, predicted: pd.Series, positive: str | None) -> list[str]:
    """All labels, sorted; of two, the positive one last."""
    labels = sorted({*actual.astype(str), *predicted.astype(str)})
    if positive is not None and positive not in labels:
        raise InputError(f"--positive {positive}: is none of the labels {', '.join(labels)}")
    return sorted(labels, key=lambda label: label == positive)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser("pipelines.evaluate", "Compare published scores with labels, joined by key.")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="output folder of pipelines.score")
    parser.add_argument("--labels", required=True, metavar="FILE", help="Parquet or CSV file with key and label")
    parser.add_argument("--key", required=True, metavar="COLUMN", help="key column, in both")
    parser.add_argument("--label", required=True, metavar="COLUMN", help="label column in --labels")
    parser.add_argument("--prediction", default="label", metavar="COLUMN", help="column of predicted labels (default: label)")
    parser.add_argument(
        "--probability", default="probability", metavar="COLUMN", help="column of probabilities (default: probability)"
    )
    parser.add_argument(
        "--positive", metavar="LABEL", help="the label that probabilities are of, when there are two (default: the last)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments, unknown = parser.parse_known_args(list(argv))
    parser.refuse_unknown(unknown)
    return arguments


if __name__ == "__main__":
    leave(run_program(main))
