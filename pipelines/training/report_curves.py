"""What the report's pictures show: curves, bins and densities of scored rows, by scikit-learn and numpy.

Nothing here draws, and nothing keeps a row by itself: what comes out are counts, shares and areas.
"""

from dataclasses import dataclass

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve

from pipelines.training.figures import Names, Scored, Task, predict_classes

# More points than a screen has in so small a picture only make the file larger.
_MOST_POINTS = 200
# More curves than that nobody tells apart.
_MOST_CURVES = 10
_BINS = 10
# Cells along a side of a density, and bars of a histogram: fewer for few rows, of which so many cells
# would show each by itself.
_FEWEST_CELLS = 8
_MOST_CELLS = 40
# Outliers would press all others into one cell: a picture shows what lies between these percentiles.
_SHOWN_PERCENT = (0.5, 99.5)


@dataclass(frozen=True)
class Question:
    """Whether rows have a label, and the probability that they have it."""

    label: str
    truth: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Curve:
    """Points of a line.

    Attributes:
        area: below it; of precision over recall the average precision.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    area: float


@dataclass(frozen=True)
class Calibration:
    """How often what was said with some probability was so.

    Attributes:
        said: mean probability of each bin that has rows.
        was: share of its rows that were so.
        rows: of each bin.
    """

    said: np.ndarray
    was: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Density:
    """Counts of rows by two numbers, or by one.

    Attributes:
        x_edges, y_edges: of the cells.
        counts: int64 (x, y).
        outside: rows that no cell shows.
    """

    x_edges: np.ndarray
    y_edges: np.ndarray
    counts: np.ndarray
    outside: int


@dataclass(frozen=True)
class Histogram:
    """Counts of rows by a number.

    Attributes:
        outside: rows that no bar shows.
    """

    edges: np.ndarray
    counts: np.ndarray
    outside: int


def list_questions(task: Task, labels: Names, scored: Scored) -> list[Question]:
    """Return what curves are drawn of: of two classes the second, else each label against the rest.

    Args:
        task: `classification` or `multi_label`.
        labels: their names.
        scored: a part.

    Returns:
        Those with rows of both kinds; of many labels the most frequent ones, in their order.
    """
    places = _choose_places(task, labels, scored)
    return [_make_question(task, labels, scored, place) for place in places]


def _make_question(
    task: Task,
    labels: Names,
    scored: Scored,
    place: int,
) -> Question:
    truth = scored.truth
    has_label = truth == place
    if task == "multi_label":
        has_label = truth[:, place] > 0
    scores = scored.scores
    # Of two classes there may be the probability of the second alone, which is the one asked for.
    if scores.ndim == 2:
        scores = scores[:, place]
    return Question(
        label=labels[place],
        truth=has_label.astype(np.int64),
        scores=scores,
    )


def _choose_places(task: Task, labels: Names, scored: Scored) -> list[int]:
    """Return the numbers of the labels that curves are drawn of."""
    truth = scored.truth
    there_are = len(labels)
    # Counted first: of a thousand classes and many rows all flags would fill the memory.
    if task == "multi_label":
        has_label = truth > 0
        counts = has_label.sum(axis=0)
    else:
        class_numbers = truth.astype(np.int64)
        counts = np.bincount(class_numbers, minlength=there_are)
    # A curve needs rows of both kinds.
    rows = len(truth)
    is_some = counts > 0
    is_not_all = counts < rows
    is_known = is_some & is_not_all
    # What holds of the second of two classes holds of the first one, mirrored.
    if task == "classification" and there_are == 2:
        is_known[0] = False
    # Stable, so that of equally frequent labels the first ones come first.
    most_first = np.argsort(-counts, kind="stable")
    is_taken = is_known[most_first]
    known = most_first[is_taken]
    chosen = known[:_MOST_CURVES]
    places: list[int] = chosen.tolist()
    places.sort()
    return places


def find_roc(question: Question) -> Curve:
    """Return the true positive rate over the false positive rate, and the area below."""
    truth = question.truth
    scores = question.scores
    false_rate, true_rate, _ = metrics.roc_curve(truth, scores)
    area = metrics.roc_auc_score(truth, scores)
    x, y = _thin(false_rate, true_rate)
    return Curve(
        name=question.label,
        x=x,
        y=y,
        area=float(area),
    )


def find_precision_recall(question: Question) -> Curve:
    """Return precision over recall, and the average precision."""
    truth = question.truth
    scores = question.scores
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    area = metrics.average_precision_score(truth, scores)
    # From the lowest recall on, as a curve is read.
    rising = np.flip(recall)
    beside = np.flip(precision)
    x, y = _thin(rising, beside)
    return Curve(
        name=question.label,
        x=x,
        y=y,
        area=float(area),
    )


def find_calibration(task: Task, labels: Names, scored: Scored) -> Calibration:
    """Return how often the model was right when it was so sure.

    Of two classes about the second, of more about the predicted one, of label sets about every label.

    Args:
        task: `classification` or `multi_label`.
        labels: their names.
        scored: a part.
    """
    scores = scored.scores
    truth = scored.truth
    said = scores
    was = truth
    if task == "multi_label":
        said = scores.ravel()
        was = truth.ravel()
    elif len(labels) != 2:
        # Of many classes, whether the best one was right.
        said = scores.max(axis=1)
        predicted = predict_classes(scores)
        was = predicted == truth
    elif scores.ndim == 2:
        # There may be the second one's probability alone, too.
        said = scores[:, 1]
    # Rounding may leave a probability a little above 1.
    said = np.clip(said, 0.0, 1.0)
    share, mean = calibration_curve(
        was.astype(np.int64),
        said,
        n_bins=_BINS,
        pos_label=1,
    )
    rows = _count_by_bin(said)
    # scikit-learn leaves out bins without rows.
    has_rows = rows > 0
    return Calibration(
        said=mean,
        was=share,
        rows=rows[has_rows],
    )


def find_density(x: np.ndarray, y: np.ndarray, alike: bool) -> Density:
    """Return counts by two numbers, without the outermost rows.

    Args:
        x, y: finite numbers (rows,).
        alike: whether both have the same range, as true and predicted numbers have.
    """
    x_range = _find_range(x)
    y_range = _find_range(y)
    if alike:
        both = np.concatenate([x, y])
        x_range = _find_range(both)
        y_range = x_range
    rows = len(x)
    cells = _choose_cells(rows)
    ranges = (x_range, y_range)
    counts, x_edges, y_edges = np.histogram2d(x, y, cells, range=ranges)
    # numpy counts in floats.
    whole = counts.astype(np.int64)
    inside = whole.sum()
    return Density(
        x_edges=x_edges,
        y_edges=y_edges,
        counts=whole,
        outside=rows - int(inside),
    )


def find_histogram(values: np.ndarray) -> Histogram:
    """Return counts by a number, without the outermost rows.

    Args:
        values: finite numbers (rows,).
    """
    rows = len(values)
    cells = _choose_cells(rows)
    shown = _find_range(values)
    counts, edges = np.histogram(values, cells, range=shown)
    inside = counts.sum()
    return Histogram(
        edges=edges,
        counts=counts,
        outside=rows - int(inside),
    )


def _count_by_bin(said: np.ndarray) -> np.ndarray:
    """Return the rows of each of scikit-learn's bins."""
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    inner_edges = edges[1:-1]
    # As it does: a probability on an edge belongs to the bin below.
    bins = np.searchsorted(inner_edges, said)
    return np.bincount(bins, minlength=_BINS)


def _choose_cells(rows: int) -> int:
    wanted = int(np.sqrt(rows))
    at_least = max(wanted, _FEWEST_CELLS)
    return min(at_least, _MOST_CELLS)


def _find_range(values: np.ndarray) -> tuple[float, float]:
    percentiles = np.percentile(values, _SHOWN_PERCENT)
    lowest, highest = percentiles.tolist()
    if lowest == highest:
        # A histogram of one number needs some width.
        margin = abs(lowest) * 0.5 or 0.5
        return lowest - margin, highest + margin
    return lowest, highest


def _thin(
    x: np.ndarray,
    y: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return some points of a line, both ends among them."""
    if len(x) <= _MOST_POINTS:
        return x, y
    last = len(x) - 1
    spaced = np.linspace(0, last, _MOST_POINTS)
    places = np.rint(spaced).astype(np.int64)
    return x[places], y[places]
