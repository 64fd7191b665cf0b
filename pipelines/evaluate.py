"""How good published scores are: join them to labels by key, and print the metrics.

For example `python -m pipelines.evaluate --output scores/breast_cancer --labels
samples/breast_cancer/labels.parquet --key id --label diagnosis`. Scores and labels may be Parquet,
CSV, JSON lines or Arrow IPC; they are read as the types that the run's manifest states, and CSV by
scoring's own reader. Columns whose values are the names of folders are columns like others.

    classification   a label a row, beside its probability
    multi_label      any number of labels a row, beside the probabilities of all
    regression       a number a row, or several
    tokens           a label a token, or spans of a text
    ranking          a number a row, compared within each group

What the model's package says is the task, and else the predictions tell: lists of texts are of
several labels, lists of structs of tokens, floating-point numbers of regression. `--task` says
otherwise.
"""

import argparse
from collections.abc import Sequence
import json
from typing import Any

from pipelines.cli.command_line import run_program
from pipelines.cli.parser import EXIT_STATUSES, Parser, parse_count
from pipelines.cli.shutdown import end_process
from pipelines.cli.startup import quick_imports
from pipelines.cli.terminal import make_harmless, write_result

# Those of `pipelines/evaluating/tasks.py`, whose libraries help does without.
TASK_NAMES = ("classification", "multi_label", "regression", "ranking", "tokens")
_CLASSES = "labels by class number; of two, the second is the positive one (default: the model's)"


def main(argv: Sequence[str]) -> int:
    """Evaluate as the command line says, and return the exit status."""
    arguments = _parse(argv)
    # What reads a run takes longer to import than help and a wrong flag take in all.
    with quick_imports():
        from pipelines.evaluating.compared import describe_evaluated, read_compared
        from pipelines.evaluating.question import Question

    compared = read_compared(Question(**_list_asked(arguments)))
    # Figures come from libraries that take a second, which labels that cannot be read do without.
    with quick_imports():
        from pipelines.evaluating.tasks import TASKS

    found = TASKS[compared.task](compared)
    text = make_harmless(found.render())
    if arguments.json:
        figures = found.as_dict()
        figures["of"] = describe_evaluated(compared)
        text = json.dumps(figures, indent=1)
    write_result(text, "the metrics")
    return 0


def _list_asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a question, as the command line has them."""
    asked = dict(vars(arguments))
    # How it is told is no part of what is asked.
    del asked["json"], asked["debug"]
    for name in ("csv", "label", "prediction"):
        asked[name] = tuple(asked[name])
    if arguments.classes is not None:
        asked["classes"] = tuple(name.strip() for name in arguments.classes.split(","))
    return asked


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.evaluate",
        "Compare published scores with labels, joined by key.",
        EXIT_STATUSES,
    )
    output = "output folder of pipelines.score"
    parser.add_argument("--output", required=True, metavar="FOLDER", help=output)
    labels = "file with key and label: Parquet, CSV, JSON lines or Arrow IPC"
    parser.add_argument("--labels", required=True, metavar="FILE", help=labels)
    csv = "a field of source.csv, for a labels' file in CSV; as often as needed"
    parser.add_argument("--csv", action="append", default=[], metavar="FIELD=VALUE", help=csv)
    parser.add_argument("--key", required=True, metavar="COLUMN", help="key column, in both")
    label = "label column in --labels; several numbers, or 0 and 1 of several labels: repeat it"
    parser.add_argument("--label", required=True, action="append", metavar="COLUMN", help=label)
    prediction = (
        "column of predictions; may be repeated (default: label, labels, or the numbers' names)"
    )
    parser.add_argument(
        "--prediction", action="append", default=[], metavar="COLUMN", help=prediction
    )
    probability = (
        "column of the second label's probability, or of all labels' as a list "
        "(default: probability; of several labels a row: probabilities)"
    )
    parser.add_argument("--probability", metavar="COLUMN", help=probability)
    task = "what the predictions are (default: what the model's package or their type says)"
    parser.add_argument("--task", choices=TASK_NAMES, help=task)
    parser.add_argument("--classes", metavar="A,B,...", help=_CLASSES)
    group = "ranking: column of the group, in the scores or in --labels"
    parser.add_argument("--group", metavar="COLUMN", help=group)
    k = "ranking: how many of the first places NDCG looks at (default: 10)"
    parser.add_argument("--k", type=parse_count, default=10, metavar="NUMBER", help=k)
    separator = "multi_label, tokens: what stands between a row's labels, where they are one text"
    parser.add_argument("--separator", metavar="TEXT", help=separator)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser.parse_whole(argv)


if __name__ == "__main__":
    end_process(run_program(main))
