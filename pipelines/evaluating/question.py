"""What is asked, and what is compared to answer it: columns of predictions and of labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from pyarrow import ChunkedArray

# As JSON holds it.
Manifest: TypeAlias = Mapping[str, Any]
Names: TypeAlias = tuple[str, ...]
# By their names.
Columns: TypeAlias = Mapping[str, ChunkedArray]


class NamedColumn(NamedTuple):
    """A column, and what it is called."""

    name: str
    column: ChunkedArray


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
    csv: Names
    key: str
    label: Names
    prediction: Names
    probability: str | None
    classes: Names | None
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
    predicted: Columns
    truth: Columns
    probability: ChunkedArray | None
    group: ChunkedArray | None

    def choose_prediction(self, usual: str) -> NamedColumn:
        """Return the column of predictions: the only one, or of several the usual one."""
        predicted = self.predicted
        name = usual
        # The only one may have been named by a person, and is not called as usual then.
        if len(predicted) == 1:
            (name,) = predicted
        return NamedColumn(name, predicted[name])

    def get_only_label(self) -> NamedColumn:
        """Return name and column of labels, of a task that compares one."""
        (name,) = self.truth
        return NamedColumn(name, self.truth[name])

    def name_label(self, name: str) -> str:
        """Return a column of labels with its file, for a message."""
        return f"{self.question.labels}: {name!r}"

    def name_prediction(self, name: str) -> str:
        """Return a column of predictions with its place, for a message."""
        return f"{self.place}: {name!r}"

    def describe(self) -> str:
        """Name the columns that are compared, for a message."""
        truth = _quote_all(self.truth)
        predicted = _quote_all(self.predicted)
        return f"{self.question.labels}: {truth}, and {predicted} of the scores"


def _quote_all(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
