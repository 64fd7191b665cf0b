"""Compare predicted entities with true ones: precision, recall and F1 as seqeval defines them, and as text.

An entity is found when its label and both its ends are right; half a span is none. Figures count
entities over all rows (micro), by label, and as the mean of labels (macro).

    tags     B-PER I-PER O B-LOC     IOB2: an entity begins with B- and goes on with I-
    entity   (PER, 0, 2), (LOC, 3, 4)
"""

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import asdict, dataclass
from statistics import fmean as mean
from typing import Any, TypeAlias

from configs.errors import InputError
from model_zoo.evaluation.shares import render_share

# Label, first place, place behind the last; places are of tokens, or of characters.
Entity: TypeAlias = tuple[str, int, int]
# What stands behind the prefix is the label.
_BEGINS = "B-"
_GOES_ON = "I-"
_OUTSIDE = "O"


@dataclass(frozen=True)
class EntityLabelFigures:
    """The figures of one label.

    Attributes:
        true_entities: how many there are.
    """

    label: str
    true_entities: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class EntityFigures:
    """The figures that tell how good predicted entities are.

    Attributes:
        rows: how many rows were compared.
        true_entities, predicted_entities: of all rows.
        precision, recall, f1: over all entities; 0 where undefined.
        macro_precision, macro_recall, macro_f1: means over labels.
        token_accuracy: share of tokens whose tag is right; None where there are spans alone.
        labels: figures of each label, sorted by its name.
    """

    rows: int
    true_entities: int
    predicted_entities: int
    precision: float
    recall: float
    f1: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    token_accuracy: float | None
    labels: tuple[EntityLabelFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings, ready for JSON or YAML."""
        values = asdict(self)
        # `asdict` leaves it a tuple.
        values["labels"] = list(values["labels"])
        return values

    def render(self) -> str:
        """Return the figures as text."""
        accuracy = render_share(self.token_accuracy)
        micro = f"(precision {self.precision:.4f}, recall {self.recall:.4f})"
        macro = f"(precision {self.macro_precision:.4f}, recall {self.macro_recall:.4f})"
        lines = [
            f"rows                {self.rows}",
            f"true entities       {self.true_entities}",
            f"predicted entities  {self.predicted_entities}",
            f"F1 of entities      {self.f1:.4f}  {micro}",
            f"macro F1            {self.macro_f1:.4f}  {macro}",
            f"accuracy of tokens  {accuracy}",
            "",
        ]
        lines += _render_labels(self.labels)
        return "\n".join(lines)


def has_entities(labels: Iterable[str]) -> bool:
    """Tell whether labels are tags of entities: each is O, or begins with B- or I-.

    >>> has_entities(["O", "B-PER", "I-PER"]), has_entities(["NOUN", "VERB"]), has_entities(["O"])
    (True, False, False)
    """
    inside = set(labels) - {_OUTSIDE}
    prefixes = (_BEGINS, _GOES_ON)
    named = [label for label in inside if label.startswith(prefixes)]
    # O alone says nothing of what else there may be.
    return bool(named) and len(named) == len(inside)


def find_entities(tags: Sequence[str]) -> set[Entity]:
    """Return the entities of a row's tags, as seqeval and the scorer of CoNLL find them.

    An I- that follows no tag of its label begins an entity too: a model may well say so.

    >>> sorted(find_entities(["B-PER", "I-PER", "B-PER", "O", "I-LOC"]))
    [('LOC', 4, 5), ('PER', 0, 2), ('PER', 2, 3)]
    """
    found: set[Entity] = set()
    label = ""
    first = 0
    # One more, which ends whatever is open.
    ended = [*tags, _OUTSIDE]
    for place, tag in enumerate(ended):
        # Only the first dash ends the prefix; O has none.
        _, _, of_tag = tag.partition("-")
        if tag.startswith(_GOES_ON) and of_tag == label:
            continue
        if label:
            entity = (label, first, place)
            found.add(entity)
        label = of_tag
        first = place
    return found


def compare_entities(
    truth: Sequence[Set[Entity]],
    predicted: Sequence[Set[Entity]],
    token_accuracy: float | None = None,
) -> EntityFigures:
    """Compare row by row.

    Args:
        truth, predicted: the entities of each row.
        token_accuracy: share of tokens whose tag is right; None where nobody knows the tags.

    Raises:
        InputError: there is nothing to compare.
    """
    true_counts: Counter[str] = Counter()
    predicted_counts: Counter[str] = Counter()
    found_counts: Counter[str] = Counter()
    for of_truth, of_prediction in zip(truth, predicted, strict=True):
        # Label and both ends: an entity is equal in all of them, or not found.
        found = of_truth & of_prediction
        true_counts.update(_list_labels(of_truth))
        predicted_counts.update(_list_labels(of_prediction))
        found_counts.update(_list_labels(found))
    # A label that is only true, or only predicted, has figures too.
    names = sorted({*true_counts, *predicted_counts})
    if not names:
        raise InputError("there is no entity to compare, neither a true one nor a predicted one")
    labels = []
    for name in names:
        true = true_counts[name]
        guessed = predicted_counts[name]
        figures = _measure(found_counts[name], guessed, true)
        of_label = EntityLabelFigures(name, true, *figures)
        labels.append(of_label)
    true = true_counts.total()
    guessed = predicted_counts.total()
    precision, recall, f1 = _measure(found_counts.total(), guessed, true)
    return EntityFigures(
        rows=len(truth),
        true_entities=true,
        predicted_entities=guessed,
        precision=precision,
        recall=recall,
        f1=f1,
        macro_precision=mean(label.precision for label in labels),
        macro_recall=mean(label.recall for label in labels),
        macro_f1=mean(label.f1 for label in labels),
        token_accuracy=token_accuracy,
        labels=tuple(labels),
    )


def _list_labels(entities: Set[Entity]) -> list[str]:
    return [label for label, _, _ in entities]


def _measure(
    found: int,
    predicted: int,
    true: int,
) -> tuple[float, float, float]:
    """Return precision, recall and F1; 0 where one is undefined, as seqeval has it."""
    precision = found / predicted if predicted else 0.0
    recall = found / true if true else 0.0
    # The harmonic mean of both, by counts: there is one where one of the two is undefined.
    both = predicted + true
    f1 = 2 * found / both if both else 0.0
    return precision, recall, f1


def _render_labels(labels: Sequence[EntityLabelFigures]) -> list[str]:
    heading = "label"
    width = len(heading)
    for figures in labels:
        width = max(width, len(figures.label))
    lines = [f"{heading:<{width}}  true entities  precision  recall      F1"]
    for figures in labels:
        line = _render_label(figures, width)
        lines.append(line)
    return lines


def _render_label(figures: EntityLabelFigures, width: int) -> str:
    return (
        f"{figures.label:<{width}}  {figures.true_entities:>13}  {figures.precision:>9.4f}  "
        f"{figures.recall:.4f}  {figures.f1:.4f}"
    )
