"""Figures of rankings: ties, groups that say nothing, and what is no ranking."""

import numpy as np
import pytest

from configs.errors import InputError
from model_zoo.evaluation.ranking import compare_rankings


def test_of_equal_scores_nobody_gains() -> None:
    """A model that gives every row one score has put the relevant one last."""
    same = np.zeros(4, dtype=np.int64)
    relevance = np.array([1.0, 0, 0, 0])
    figures = compare_rankings(same, relevance, np.ones(4), 10)
    assert figures.mean_reciprocal_rank == 0.25
    assert figures.mean_average_precision == 0.25


def test_groups_without_a_relevant_row_are_counted_apart() -> None:
    groups = np.array([0, 0, 1, 2])
    figures = compare_rankings(groups, np.array([0.0, 2, 0, 1]), np.array([1.0, 2, 3, 4]), 10)
    assert (figures.groups, figures.groups_without, figures.rows) == (2, 1, 4)
    assert (figures.ndcg, figures.mean_reciprocal_rank) == (1, 1)
    assert "1 more without a relevant row" in figures.render()


@pytest.mark.parametrize(
    ("relevance", "scores", "words"),
    [
        ([0.0, 0.0], [1.0, 2.0], "no group has a row with a relevance above 0"),
        ([-1.0, 1.0], [1.0, 2.0], "a relevance is negative"),
        ([np.nan, 1.0], [1.0, 2.0], "1 of 2 true numbers are NaN"),
        ([1.0, 1.0], [np.inf, 2.0], "1 of 2 predicted numbers are NaN or infinite"),
    ],
)
def test_what_cannot_be_ranked_is_refused(
    relevance: list[float], scores: list[float], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        compare_rankings(np.zeros(2, np.int64), np.array(relevance), np.array(scores), 10)


@pytest.mark.parametrize(("k", "ndcg"), [(1, 0.0), (2, 0.630930), (10, 0.630930)])
def test_the_first_k_places_count(k: int, ndcg: float) -> None:
    """The only relevant row comes second, and gains 1 / log2(3) of what it would gain as the first."""
    figures = compare_rankings(
        np.zeros(3, np.int64), np.array([0.0, 1, 0]), np.array([3.0, 2, 1]), k
    )
    assert figures.ndcg == pytest.approx(ndcg, abs=1e-6)
    assert figures.render().splitlines() == [
        "rows    3",
        "groups  1",
        f"{f'NDCG@{k}':<8}{ndcg:.4f}",
        "MAP     0.5000",
        "MRR     0.5000",
    ]


def test_groups_count_alike_wherever_their_rows_stand() -> None:
    groups = np.array([7, 2, 7, 2, 7])
    relevance = np.array([1.0, 1, 0, 0, 0])
    scores = np.array([1.0, 2, 2, 1, 3])
    figures = compare_rankings(groups, relevance, scores, 10)
    # The third of three rows, and the first of two.
    assert figures.mean_reciprocal_rank == pytest.approx((1 / 3 + 1) / 2)


def test_a_relevance_of_0_is_none() -> None:
    same = np.zeros(2, np.int64)
    figures = compare_rankings(same, np.array([0.0, 0.5]), np.array([1.0, 2.0]), 10)
    assert figures.mean_average_precision == 1.0
