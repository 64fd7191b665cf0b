"""What is compared: predictions of a run and labels of the same rows, and as what."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import ChunkedArray, DataType, Table
from pyarrow.types import (
    is_decimal,
    is_fixed_size_list,
    is_floating,
    is_integer,
    is_list,
    is_string,
    is_struct,
)

from configs.csv_text import Csv
from configs.errors import InputError, JobError
from configs.load import parse_fields, parse_set
from pipelines.cli.readable import told_as_unreadable
from pipelines.evaluating.joining import find_true_labels
from pipelines.evaluating.question import Columns, Compared, Manifest, Question
from pipelines.evaluating.tables import list_types, read_scores, read_table
from storage import files
from storage.layout import read_manifest
from transforms.formats.csv import parse_dialect
from transforms.formats.csv_dialect import CsvDialect

_CSV_EXAMPLE = "a field of source.csv=value, for example --csv delimiter=';'"
# Of a package, whose predictions' type says too little, or too much: scores of rankings are numbers.
_TOLD = ("multi_label", "regression", "ranking", "tokens")
_OF_NUMBERS = ("regression", "ranking")
# Labels of tokens, and spans: the labels' file tells which of them are compared.
_OF_TOKENS = ("tokens", "spans")
# The columns that are predictions where nobody names one.
_USUAL: dict[str | None, tuple[str, ...]] = {
    "multi_label": ("labels", "classes"),
    None: ("label", "labels", "class"),
}


def read_compared(question: Question) -> Compared:
    """Read the columns that are compared, and join them by key.

    Raises:
        InputError: what cannot be read or joined.
        JobError: what must be said.
    """
    with told_as_unreadable(question.output):
        run, manifest = read_manifest(question.output)
    told = _find_told_task(question, manifest)
    names = question.prediction or _choose_predictions(told, manifest)
    # Once each, however often they are named.
    once = dict.fromkeys((question.key, *names))
    wanted = list(once)
    extra = _list_optional(question, told, wanted)
    scores = read_scores(run, manifest, wanted, extra)
    predicted = {name: scores.column(name) for name in names}
    _refuse_unpredicted(predicted, run.published)

    # The first one tells: a regression alone compares several.
    first = next(iter(predicted.values()))
    task = told or _find_task(first.type)
    _check_question(question, task, predicted)

    group = _find_column(scores, question.group)
    keys = scores.column(question.key)
    lacks_group = group is None
    truth = _read_truth(question, task, keys, has_group=lacks_group)
    # Where the run does not have it, it stands beside the labels.
    if question.group is not None and lacks_group:
        group = truth.pop(question.group)

    # Again, as the task may be known only now.
    probability_name = _choose_probability(question, task)
    probability = _find_column(scores, probability_name)
    return Compared(
        question=question,
        manifest=manifest,
        task=task,
        place=run.published,
        predicted=predicted,
        truth=truth,
        probability=probability,
        group=group,
    )


def describe_evaluated(compared: Compared) -> dict[str, Any]:
    """Return of which model and which labels figures are, for whoever compares them with others."""
    model = compared.manifest["model"]
    name = model.get("name")
    version = model.get("version")
    labels = compared.question.labels
    url = files.to_absolute(labels)
    return {
        "task": compared.task,
        "model": f"{name}, version {version}",
        "model_digest": model.get("digest"),
        "labels": labels,
        "labels_sha256": files.compute_sha256(url),
    }


def _find_told_task(question: Question, manifest: Manifest) -> str | None:
    """Return the task that the command line names, or else the package; None where neither does."""
    if question.task is not None:
        return question.task
    # Of other columns than the usual ones the package says nothing.
    if question.prediction:
        return None
    model = manifest["model"]
    task: str | None = model.get("task")
    if task in _TOLD:
        return task
    return None


def _list_optional(
    question: Question,
    task: str | None,
    wanted: Sequence[str],
) -> list[str]:
    """Return the columns that are read where the run has them."""
    probability = _choose_probability(question, task)
    optional = [probability]
    if question.group is not None:
        optional.append(question.group)
    return [name for name in optional if name not in wanted]


def _find_column(table: Table, name: str | None) -> ChunkedArray | None:
    if name not in table.column_names:
        return None
    return table.column(name)


def _refuse_unpredicted(predicted: Columns, place: str) -> None:
    for name, column in predicted.items():
        missing_rows = column.null_count
        if missing_rows:
            raise InputError(f"{place}: {missing_rows} rows have no {name!r}")


def _choose_predictions(task: str | None, manifest: Manifest) -> tuple[str, ...]:
    """Return the columns that hold such predictions, where the command line names none."""
    types = list_types(manifest)
    if task in _OF_NUMBERS:
        model = manifest["model"]
        # A regression's labels are the names of its numbers.
        labels = model.get("labels") or ()
        named = [name for name in labels if name in types]
        return tuple(named or _list_scores(manifest))

    if task == "tokens":
        present = [name for name in _OF_TOKENS if name in types]
        return tuple(present) or _OF_TOKENS[:1]

    usual = _USUAL.get(task, ("label", "class"))
    for name in usual:
        if name in types:
            return (name,)
    # Reading it says that the run has no such column.
    return usual[:1]


def _list_scores(manifest: Manifest) -> Sequence[str]:
    """Return the only column of scores; `label` where there are several, which is then missed."""
    job = manifest["job"]
    source = job.get("source") or {}
    key = source.get("key")
    passed_through = source.get("passthrough") or ()
    carried = {key, *passed_through}
    scores = [name for name in list_types(manifest) if name not in carried]
    if len(scores) == 1:
        return scores
    listed = ", ".join(scores)
    raise JobError(
        f"--prediction is needed: the run has the columns {listed}, "
        "and nothing tells which of them are compared"
    )


def _choose_probability(question: Question, task: str | None) -> str:
    if question.probability:
        return question.probability
    # Of label sets each row has several.
    if task == "multi_label":
        return "probabilities"
    return "probability"


def _find_task(predicted: DataType) -> str:
    """Return what predictions of a type are: a number with a fraction is an amount, and no class."""
    if is_list(predicted) or is_fixed_size_list(predicted):
        return _find_task_of_lists(predicted.value_type)
    if is_floating(predicted) or is_decimal(predicted):
        return "regression"
    return "classification"


def _find_task_of_lists(values: DataType) -> str:
    if is_struct(values):
        return "tokens"
    # Names of labels, or their numbers.
    if is_string(values) or is_integer(values):
        return "multi_label"
    return "regression"


def _check_question(question: Question, task: str, predicted: Columns) -> None:
    """Refuse what does not go with the task; all of it at once."""
    problems = list(_list_wrong_options(question, task))
    problems += _list_wrong_counts(question, task, predicted)
    if problems:
        raise JobError("; ".join(problems))


def _list_wrong_options(question: Question, task: str) -> Iterator[str]:
    """Yield what is wrong with options that belong to some tasks alone."""
    is_ranking = task == "ranking"
    has_group = question.group is not None
    if is_ranking and not has_group:
        yield "--group is needed for ranking: the column that tells which rows compete"
    if has_group and not is_ranking:
        yield f"--group is for --task ranking, and this is {task}"

    has_separator = question.separator is not None
    takes_separator = task in ("multi_label", "tokens")
    if has_separator and not takes_separator:
        yield f"--separator is for --task multi_label or tokens, and this is {task}"


def _list_wrong_counts(
    question: Question,
    task: str,
    predicted: Columns,
) -> Iterator[str]:
    """Yield what is wrong with how many columns are named."""
    predictions = ", ".join(predicted)
    labels = ", ".join(question.label)
    label_count = len(question.label)

    if task == "regression":
        if label_count != len(predicted):
            yield (
                "regression compares each --prediction with a --label: "
                f"{predictions} with {labels}; "
                "repeat --label, once for each, or name one with --prediction"
            )
        return

    if len(question.prediction) > 1:
        yield f"{task} compares one --prediction, got {predictions}"
    # Label sets alone may stand in several columns, of 0 and 1.
    if label_count > 1 and task != "multi_label":
        yield f"{task} compares one --label, got {labels}"


def _read_truth(
    question: Question,
    task: str,
    scored_keys: ChunkedArray,
    has_group: bool,
) -> dict[str, ChunkedArray]:
    """Return the labels' columns in the order of the scored keys, the group's among them."""
    names = list(dict.fromkeys(question.label))
    # Of CSV, whose text tells no type.
    dtype = pa.string()
    if task in _OF_NUMBERS:
        dtype = pa.float64()
    # Keys are joined, and so they are read as the run has them, even if they are labels, too.
    types = {question.key: scored_keys.type}
    for name in names:
        types.setdefault(name, dtype)
    if has_group and question.group is not None:
        types[question.group] = pa.string()
        names.append(question.group)

    dialect = _parse_dialect(question.csv)
    table = read_table(question.labels, types, dialect)
    keys = table.column(question.key)
    truth = {}
    for name in names:
        labels = table.column(name)
        in_order = find_true_labels(scored_keys, keys, labels, question.labels)
        truth[name] = in_order
    return truth


def _parse_dialect(texts: Sequence[str]) -> CsvDialect:
    """Return what a labels' file means, as the command line says."""
    overrides = []
    for text in texts:
        override = parse_set(text, "--csv", _CSV_EXAMPLE)
        overrides.append(override)
    csv = parse_fields(Csv, "--csv", overrides)
    return parse_dialect(**csv.model_dump(), max_expansion=None)
