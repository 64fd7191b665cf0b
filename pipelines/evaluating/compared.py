"""What is compared: predictions of a run and labels of the same rows, and as what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from configs.errors import InputError, JobError
from configs.job import Csv
from configs.load import parse_fields, parse_set
from pipelines.evaluating.joining import find_true_labels
from pipelines.evaluating.tables import Manifest, list_types, read_scores, read_table
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


@dataclass(frozen=True)
class Question:
    """What the command line asks.

    Attributes:
        output: folder of published scores.
        labels, csv: file of labels, and what its text means.
        key, label, prediction, probability, group: columns; none for the usual ones.
        classes: labels by class number, or None.
        task: or None for what the package or the predictions say.
        k: of NDCG.
        separator: between the labels of a row that are one text, or None.
    """

    output: str
    labels: str
    csv: tuple[str, ...]
    key: str
    label: tuple[str, ...]
    prediction: tuple[str, ...]
    probability: str | None
    classes: tuple[str, ...] | None
    task: str | None
    group: str | None
    k: int
    separator: str | None


@dataclass(frozen=True)
class Compared:
    """Columns of the same rows in the same order.

    Attributes:
        question: what was asked.
        manifest: of the run.
        task: what the predictions are.
        place: of the scores, for messages.
        predicted: columns of predictions, by name, none of them with a missing value.
        truth: columns of labels, by name, as their file has them.
        probability: column of probabilities; None where the run has none.
        group: of each row; None where nobody named it.
    """

    question: Question
    manifest: Manifest
    task: str
    place: str
    predicted: Mapping[str, pa.ChunkedArray]
    truth: Mapping[str, pa.ChunkedArray]
    probability: pa.ChunkedArray | None
    group: pa.ChunkedArray | None

    def choose_prediction(self, usual: str) -> tuple[str, pa.ChunkedArray]:
        """Return the column of predictions: the only one, or of several the usual one."""
        if len(self.predicted) == 1:
            ((name, column),) = self.predicted.items()
            return name, column
        return usual, self.predicted[usual]

    def describe(self) -> str:
        """Name the columns that are compared, for a message."""
        truth = ", ".join(map(repr, self.truth))
        predicted = ", ".join(map(repr, self.predicted))
        return f"{self.question.labels}: {truth}, and {predicted} of the scores"


def read_compared(question: Question) -> Compared:
    """Read the columns that are compared, and join them by key.

    Raises:
        InputError: what cannot be read or joined.
        JobError: what must be said.
    """
    run, manifest = read_manifest(question.output)
    told = _find_told_task(question, manifest)
    names = question.prediction or _choose_predictions(told, manifest)
    wanted = list(dict.fromkeys((question.key, *names)))
    optional = [_choose_probability(question, told), question.group]
    extra = [name for name in optional if name is not None and name not in wanted]
    scores = read_scores(run, manifest, wanted, extra)
    predicted = {name: scores.column(name) for name in names}
    for name, column in predicted.items():
        if column.null_count:
            raise InputError(f"{run.published}: {column.null_count} rows have no {name!r}")

    task = told or _find_task(next(iter(predicted.values())).type)
    _check_question(question, task, predicted)
    group = None
    if question.group in scores.column_names:
        group = scores.column(question.group)
    truth = _read_truth(question, task, scores.column(question.key), group is None)
    if question.group is not None and group is None:
        group = truth.pop(question.group)
    probability = _choose_probability(question, task)
    has_probability = probability in scores.column_names
    return Compared(
        question=question,
        manifest=manifest,
        task=task,
        place=run.published,
        predicted=predicted,
        truth=truth,
        probability=scores.column(probability) if has_probability else None,
        group=group,
    )


def describe_evaluated(compared: Compared) -> dict[str, Any]:
    """Return of which model and which labels figures are, for whoever compares them with others."""
    model = compared.manifest["model"]
    question = compared.question
    return {
        "task": compared.task,
        "model": f"{model.get('name')}, version {model.get('version')}",
        "model_digest": model.get("digest"),
        "labels": question.labels,
        "labels_sha256": files.compute_sha256(files.to_absolute(question.labels)),
    }


def _find_told_task(question: Question, manifest: Manifest) -> str | None:
    """Return the task that the command line names, or else the package; None where neither does."""
    if question.task is not None:
        return question.task
    # Of other columns than the usual ones the package says nothing.
    task = manifest["model"].get("task")
    return task if task in _TOLD and not question.prediction else None


def _choose_predictions(task: str | None, manifest: Manifest) -> tuple[str, ...]:
    """Return the columns that hold such predictions, where the command line names none."""
    types = list_types(manifest)
    if task in _OF_NUMBERS:
        named = [name for name in manifest["model"].get("labels") or () if name in types]
        return tuple(named or _list_scores(manifest))
    if task == "tokens":
        return tuple(name for name in _OF_TOKENS if name in types) or _OF_TOKENS[:1]
    usual = _USUAL.get(task, ("label", "class"))
    for name in usual:
        if name in types:
            return (name,)
    return usual[:1]


def _list_scores(manifest: Manifest) -> Sequence[str]:
    """Return the only column of scores; `label` where there are several, which is then missed."""
    source = manifest["job"].get("source") or {}
    carried = {source.get("key"), *(source.get("passthrough") or ())}
    scores = [name for name in list_types(manifest) if name not in carried]
    if len(scores) == 1:
        return scores
    raise JobError(
        f"--prediction is needed: the run has the columns {', '.join(scores)}, "
        "and nothing tells which of them are compared"
    )


def _choose_probability(question: Question, task: str | None) -> str:
    usual = "probabilities" if task == "multi_label" else "probability"
    return question.probability or usual


def _find_task(predicted: pa.DataType) -> str:
    """Return what predictions of a type are: a number with a fraction is an amount, and no class."""
    types = pa.types
    is_list = types.is_list(predicted) or types.is_fixed_size_list(predicted)
    if is_list:
        of = predicted.value_type
        if types.is_struct(of):
            return "tokens"
        return "multi_label" if types.is_string(of) or types.is_integer(of) else "regression"
    is_amount = types.is_floating(predicted) or types.is_decimal(predicted)
    return "regression" if is_amount else "classification"


def _check_question(
    question: Question, task: str, predicted: Mapping[str, pa.ChunkedArray]
) -> None:
    """Refuse what does not go with the task; all of it at once."""
    problems = []
    is_ranking = task == "ranking"
    if is_ranking and question.group is None:
        problems.append("--group is needed for ranking: the column that tells which rows compete")
    if not is_ranking and question.group is not None:
        problems.append(f"--group is for --task ranking, and this is {task}")
    if question.separator is not None and task not in ("multi_label", "tokens"):
        problems.append(f"--separator is for --task multi_label or tokens, and this is {task}")
    if task != "regression" and len(question.prediction) > 1:
        problems.append(f"{task} compares one --prediction, got {', '.join(predicted)}")
    takes_one = task in ("classification", "ranking", "tokens")
    if takes_one and len(question.label) > 1:
        problems.append(f"{task} compares one --label, got {', '.join(question.label)}")
    if task == "regression" and len(question.label) != len(predicted):
        problems.append(
            f"regression compares each --prediction with a --label: {', '.join(predicted)} with "
            f"{', '.join(question.label)}; repeat --label, once for each, or name one with --prediction"
        )
    if problems:
        raise JobError("; ".join(problems))


def _read_truth(
    question: Question, task: str, scored_keys: pa.ChunkedArray, has_group: bool
) -> dict[str, pa.ChunkedArray]:
    """Return the labels' columns in the order of the scored keys, the group's among them."""
    names = list(dict.fromkeys(question.label))
    # Of CSV, whose text tells no type.
    dtype = pa.float64() if task in _OF_NUMBERS else pa.string()
    types: dict[str, pa.DataType] = {question.key: scored_keys.type}
    types |= {name: dtype for name in names if name != question.key}
    if has_group and question.group is not None:
        types[question.group] = pa.string()
        names.append(question.group)
    table = read_table(question.labels, types, _parse_dialect(question.csv))
    keys = table.column(question.key)
    return {
        name: find_true_labels(scored_keys, keys, table.column(name), question.labels)
        for name in names
    }


def _parse_dialect(texts: Sequence[str]) -> CsvDialect:
    """Return what a labels' file means, as the command line says."""
    overrides = [parse_set(text, "--csv", _CSV_EXAMPLE) for text in texts]
    csv = parse_fields(Csv, "--csv", overrides)
    return parse_dialect(**csv.model_dump(), max_expansion=None)
