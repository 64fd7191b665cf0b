"""The tasks that are evaluated: each makes figures of predictions and labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import eq
from typing import Any, Protocol, TypeAlias

from pyarrow import ChunkedArray

from model_zoo.evaluation.entities import (
    Entity,
    EntityFigures,
    compare_entities,
    find_entities,
    has_entities,
)
from model_zoo.evaluation.label_sets import LabelSetFigures, compare_label_sets
from model_zoo.evaluation.metrics import Evaluation, evaluate, render
from model_zoo.evaluation.ranking import RankingFigures, compare_rankings
from model_zoo.evaluation.regression import (
    RegressionFigures,
    SeveralFigures,
    compare_numbers,
    compare_several,
)
from pipelines.evaluating.label_sets import list_names, order_names, to_matrix
from pipelines.evaluating.labels import (
    list_known,
    order_labels,
    refuse_strangers,
    to_scores,
    to_text,
    to_type_of,
)
from pipelines.evaluating.numbers import number_groups, to_numbers, to_wide_numbers
from pipelines.evaluating.question import Compared
from pipelines.evaluating.tokens import holds_spans, read_spans, read_tags

# Those of each text.
Entities: TypeAlias = list[set[Entity]]


class Figures(Protocol):
    """What a comparison comes to."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""

    def render(self) -> str:
        """Return text for people."""


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class a row."""

    evaluation: Evaluation

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return self.evaluation.as_dict()

    def render(self) -> str:
        """Return text for people."""
        return render(self.evaluation)


def evaluate_classes(compared: Compared) -> ClassFigures:
    """Compare a label a row.

    Raises:
        InputError: labels that no prediction could be.
    """
    # One of each: `read_compared` refuses more.
    predicted, *_ = compared.predicted.values()
    labels, *_ = compared.truth.values()
    # In one type first, so that the same label has the same text.
    of_one_type = to_type_of(labels, predicted.type)
    true_texts = to_text(of_one_type)
    truth = true_texts.to_pylist()
    predicted_texts = to_text(predicted)
    predicted_labels = predicted_texts.to_pylist()

    classes = compared.question.classes
    manifest = compared.manifest
    known = list_known(classes, manifest)
    columns = compared.describe()
    refuse_strangers(truth, predicted_labels, known, columns)

    names = order_labels(truth, predicted_labels, classes, manifest)
    count = len(names)
    probabilities = to_scores(compared.probability, count)
    evaluation = evaluate(truth, predicted_labels, names, probabilities)
    return ClassFigures(evaluation)


def evaluate_label_sets(compared: Compared) -> LabelSetFigures:
    """Compare any number of labels a row.

    Raises:
        InputError: labels that no prediction could be, or that are no lists.
    """
    question = compared.question
    known = list_known(question.classes, compared.manifest)
    predicted = list_names(compared.predicted, None, known)
    truth = list_names(compared.truth, question.separator, known)
    columns = compared.describe()
    refuse_strangers(truth.names, predicted.names, known, columns)
    names = order_names(truth, predicted, known)
    true_matrix = to_matrix(truth, names)
    predicted_matrix = to_matrix(predicted, names)

    probabilities = None
    column = compared.probability
    # Theirs is the order of the model's labels, and of no others.
    if column is not None and names == known:
        probabilities = to_wide_numbers(column, compared.place)
    return compare_label_sets(true_matrix, predicted_matrix, names, probabilities)


def evaluate_numbers(compared: Compared) -> RegressionFigures | SeveralFigures:
    """Compare a number a row, or several, in columns of their own or in lists.

    Raises:
        InputError: columns that hold no numbers, or not as many.
    """
    # In the order in which both were named.
    pairs = zip(compared.truth, compared.predicted, strict=True)
    figures: dict[str, RegressionFigures] = {}
    for label, prediction in pairs:
        of_column = _compare_columns(compared, label, prediction)
        figures.update(of_column)
    first, *others = figures.values()
    if not others:
        return first
    return SeveralFigures.of(figures)


def _compare_columns(
    compared: Compared,
    label: str,
    prediction: str,
) -> Mapping[str, RegressionFigures]:
    """Return the figures of each number of a column, by its name."""
    of_label = compared.name_label(label)
    of_prediction = compared.name_prediction(prediction)
    labels = compared.truth[label]
    predictions = compared.predicted[prediction]
    truth = to_wide_numbers(labels, of_label)
    predicted = to_wide_numbers(predictions, of_prediction, like=truth)
    width = truth.shape[1]
    if width == 1:
        true_numbers = truth[:, 0]
        predicted_numbers = predicted[:, 0]
        figures = compare_numbers(true_numbers, predicted_numbers)
        return {prediction: figures}

    # The numbers of a list by their places, as several columns would have names.
    names = [f"{prediction}[{place}]" for place in range(width)]
    several = compare_several(truth, predicted, names)
    return several.outputs


def evaluate_rankings(compared: Compared) -> RankingFigures:
    """Compare a number a row with its true relevance, within each group.

    Raises:
        InputError: columns that hold no numbers, or rows without a group.
    """
    question = compared.question
    label, labels = compared.get_only_label()
    (prediction,) = compared.predicted
    predictions = compared.predicted[prediction]
    of_label = compared.name_label(label)
    of_prediction = compared.name_prediction(prediction)

    name = str(question.group)
    groups = number_groups(compared.group, name)
    relevance = to_numbers(labels, of_label)
    scores = to_numbers(predictions, of_prediction)
    return compare_rankings(groups, relevance, scores, question.k)


def evaluate_tokens(compared: Compared) -> EntityFigures | ClassFigures:
    """Compare entities, by tags of tokens or by spans; or tags alone, where they name no entities.

    Raises:
        InputError: columns of another kind, or labels that no prediction could be.
    """
    label, labels = compared.get_only_label()
    of_truth = compared.name_label(label)
    if not holds_spans(labels):
        return _evaluate_tags(compared, labels, of_truth)
    prediction, predictions = compared.choose_prediction("spans")
    of_prediction = compared.name_prediction(prediction)
    truth = read_spans(labels, of_truth)
    predicted = read_spans(predictions, of_prediction)
    _refuse_other_entities(truth, predicted, compared)
    return compare_entities(truth, predicted)


def _evaluate_tags(
    compared: Compared,
    labels: ChunkedArray,
    of_truth: str,
) -> EntityFigures | ClassFigures:
    question = compared.question
    manifest = compared.manifest
    known = list_known(question.classes, manifest)
    prediction, predictions = compared.choose_prediction("tokens")
    of_prediction = compared.name_prediction(prediction)
    places = (of_truth, of_prediction)
    tags = read_tags(labels, predictions, question.separator, known, places)

    # Tag by tag, whatever row they are of.
    join = chain.from_iterable
    truth = list(join(tags.truth))
    predicted = list(join(tags.predicted))
    columns = compared.describe()
    refuse_strangers(truth, predicted, known, columns)

    all_tags = truth + predicted
    if not has_entities(all_tags):
        names = order_labels(truth, predicted, question.classes, manifest)
        # Columns of tokens hold no probabilities of all classes.
        evaluation = evaluate(truth, predicted, names, None)
        return ClassFigures(evaluation)

    is_right = map(eq, truth, predicted)
    right_count = sum(is_right)
    accuracy = right_count / len(truth)
    # Row by row, as no entity reaches from one text into the next.
    true_entities = list(map(find_entities, tags.truth))
    predicted_entities = list(map(find_entities, tags.predicted))
    return compare_entities(true_entities, predicted_entities, accuracy)


def _refuse_other_entities(
    truth: Entities,
    predicted: Entities,
    compared: Compared,
) -> None:
    true_labels = _list_entity_labels(truth)
    predicted_labels = _list_entity_labels(predicted)
    # Texts without a name, or a model that finds none, are nothing strange.
    if not true_labels or not predicted_labels:
        return
    question = compared.question
    known = list_known(question.classes, compared.manifest)
    # `B-PER` is a tag of an entity PER; `O` is of none.
    names = [label.partition("-")[2] for label in known]
    columns = compared.describe()
    refuse_strangers(true_labels, predicted_labels, names, columns)


def _list_entity_labels(rows: Entities) -> list[str]:
    labels: set[str] = set()
    for entities in rows:
        labels.update(label for label, _, _ in entities)
    return sorted(labels)


Evaluate: TypeAlias = Callable[[Compared], Figures]
TASKS: Mapping[str, Evaluate] = {
    "classification": evaluate_classes,
    "multi_label": evaluate_label_sets,
    "regression": evaluate_numbers,
    "ranking": evaluate_rankings,
    "tokens": evaluate_tokens,
}
