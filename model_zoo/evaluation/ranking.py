"""Compare rankings with true relevance, group by group: the usual figures, by scikit-learn, and as text."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn import metrics

from configs.errors import InputError
from model_zoo.evaluation.regression import refuse_odd


@dataclass(frozen=True)
class RankingFigures:
    """The figures that tell how good rankings are: means over groups, of which each counts alike.

    Attributes:
        rows: how many rows were compared.
        groups: those with a relevant row, over which the means are.
        groups_without: those without one, of which no ranking is better than another.
        k: how many of the first places NDCG looks at.
        ndcg: normalised discounted cumulative gain of the first k places; the gain is the relevance.
        mean_average_precision: relevant is what has a relevance above 0.
        mean_reciprocal_rank: of the first relevant row; of equal scores the last place counts.
    """

    rows: int
    groups: int
    groups_without: int
    k: int
    ndcg: float
    mean_average_precision: float
    mean_reciprocal_rank: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers, ready for JSON or YAML."""
        return asdict(self)

    def render(self) -> str:
        """Return the figures as text."""
        without = ""
        if self.groups_without:
            without = f"  ({self.groups_without} more without a relevant row are left out)"
        at = f"NDCG@{self.k}"
        lines = [
            f"rows    {self.rows}",
            f"groups  {self.groups}{without}",
            f"{at:<8}{self.ndcg:.4f}",
            f"MAP     {self.mean_average_precision:.4f}",
            f"MRR     {self.mean_reciprocal_rank:.4f}",
        ]
        return "\n".join(lines)


def compare_rankings(
    groups: np.ndarray,
    relevance: np.ndarray,
    scores: np.ndarray,
    k: int,
) -> RankingFigures:
    """Compare the rows of each group.

    Args:
        groups: int64 (rows,), number of each row's group.
        relevance: float64 (rows,), true, 0 or more.
        scores: float64 (rows,), the higher the better.
        k: how many of the first places NDCG looks at.

    Raises:
        InputError: there is nothing to compare, or a number that is none or negative.

    >>> same = np.array([0, 0, 0])
    >>> compare_rankings(same, np.array([0.0, 1, 0]), np.array([3.0, 2, 1]), 10).mean_reciprocal_rank
    0.5
    """
    refuse_odd("true", relevance)
    refuse_odd("predicted", scores)
    if (relevance < 0).any():
        raise InputError("a relevance is negative; 0 is what nobody wants to see")
    figures = []
    without = 0
    for rows in _split(groups):
        of_group = relevance[rows]
        # Whatever comes first in such a group, nobody wanted it.
        if not of_group.any():
            without += 1
            continue
        measured = _measure(of_group, scores[rows], k)
        figures.append(measured)
    if not figures:
        raise InputError("no group has a row with a relevance above 0, so no ranking is right")
    means = np.mean(figures, axis=0)
    ndcg, precision, reciprocal = means.tolist()
    return RankingFigures(
        rows=len(groups),
        groups=len(figures),
        groups_without=without,
        k=k,
        ndcg=ndcg,
        mean_average_precision=precision,
        mean_reciprocal_rank=reciprocal,
    )


def _split(groups: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the positions of the rows of each group."""
    # Rows of a group side by side, and in the order that they came in.
    order = np.argsort(groups, kind="stable")
    steps = np.diff(groups[order])
    # A step lies between two places, and the second of them begins a group.
    starts = np.flatnonzero(steps) + 1
    yield from np.split(order, starts)


def _measure(
    relevance: np.ndarray,
    scores: np.ndarray,
    k: int,
) -> tuple[float, float, float]:
    """Return NDCG, average precision and reciprocal rank of one group."""
    is_relevant = relevance > 0
    ndcg = 1.0
    # scikit-learn finds nothing to rank in a single row.
    if len(scores) > 1:
        # It takes several rankings at a time, of which this is one.
        gain = metrics.ndcg_score(relevance[None], scores[None], k=k)
        ndcg = float(gain)
    precision = metrics.average_precision_score(is_relevant, scores)
    best = scores[is_relevant].max()
    # Rows of the same score count as ranked before it.
    place = int(np.count_nonzero(scores >= best))
    return ndcg, float(precision), 1 / place
