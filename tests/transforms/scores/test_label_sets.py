"""Any number of labels a row: those from their threshold on, as torch and a plain loop find them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from configs.errors import JobError
from transforms.score_columns import score_columns
from transforms.scores.options import ScoreColumns

LOGITS = np.random.default_rng(5).normal(0, 2, (40, 3)).astype(np.float32)
NAMES = ("cat", "dog", "owl")
PROBABILITIES = torch.sigmoid(torch.from_numpy(LOGITS)).numpy()


def make(wanted: str, names: tuple[str, ...] = NAMES, **options: Any) -> pa.Array:
    how = ScoreColumns("sigmoid", names, **options)
    return score_columns({"logits": LOGITS}, how, [wanted])[wanted]


@pytest.mark.parametrize(
    ("options", "thresholds"),
    [
        ({}, [0.5, 0.5, 0.5]),
        ({"threshold": 0.8}, [0.8, 0.8, 0.8]),
        ({"thresholds": {"dog": 0.1, "owl": 1.0}}, [0.5, 0.1, 1.0]),
    ],
)
def test_a_row_has_every_label_from_its_threshold_on(
    options: dict[str, Any], thresholds: list[float]
) -> None:
    expected = [
        [name for name, p, least in zip(NAMES, row, thresholds, strict=True) if p >= least]
        for row in PROBABILITIES.tolist()
    ]
    assert [] in expected
    actual = make("labels", **options)
    assert actual.to_pylist() == expected
    assert actual.type == pa.list_(pa.string())
    numbers = [[NAMES.index(name) for name in row] for row in expected]
    assert make("classes", **options).to_pylist() == numbers
    assert make("labels", names=(), threshold=0.8).to_pylist() == [
        [str(number) for number, p in enumerate(row) if p >= 0.8] for row in PROBABILITIES.tolist()
    ]


def test_a_probability_that_is_its_threshold_has_reached_it() -> None:
    """0.7 is none of float32's numbers, and the nearest one, which is below it, is what a user means by it."""
    logits = np.array([[0.84729785, 0.8472]], np.float32)
    least = ScoreColumns("sigmoid", threshold=0.7)
    columns = score_columns({"l": logits}, least, ["probabilities", "classes"])
    (row,) = columns["probabilities"].to_pylist()
    assert row[0] == float(np.float32(0.7)) < 0.7
    assert columns["classes"].to_pylist() == [[0]]


def test_probabilities_of_all_and_the_most_probable_ones() -> None:
    np.testing.assert_allclose(make("probabilities").to_pylist(), PROBABILITIES, rtol=1e-6)
    best = torch.topk(torch.from_numpy(PROBABILITIES), 2, dim=1)
    assert make("top_classes", top_k=2).to_pylist() == best.indices.tolist()
    expected = [[NAMES[number] for number in row] for row in best.indices.tolist()]
    assert make("top_labels", top_k=2).to_pylist() == expected
    actual = make("top_probabilities", top_k=2).to_pylist()
    np.testing.assert_allclose(actual, best.values, rtol=1e-6)


def test_a_threshold_of_no_label_is_refused() -> None:
    with pytest.raises(JobError, match=r"thresholds names 'dgo'.*did you mean dog"):
        make("labels", thresholds={"dgo": 0.1})
    with pytest.raises(JobError, match="is for a sigmoid over several labels"):
        score_columns(
            {"l": LOGITS[:, 0]}, ScoreColumns("sigmoid", thresholds={"cat": 0.1}), ["label"]
        )


def test_of_two_classes_both_may_be_asked_for() -> None:
    """`top_k: 2` of one logit a row: the second class has its probability, the first what is left."""
    how = ScoreColumns("sigmoid", ("no", "yes"), top_k=2)
    names = ["top_labels", "top_probabilities", "probabilities"]
    made = score_columns({"l": LOGITS[:, 0]}, how, names)
    for row, p in enumerate(PROBABILITIES[:, 0].tolist()):
        ordered = ["yes", "no"] if p > 0.5 else ["no", "yes"]
        assert made["top_labels"][row].as_py() == ordered
        both = sorted([p, 1 - p], reverse=True)
        np.testing.assert_allclose(made["top_probabilities"][row].as_py(), both, atol=1e-6)
        np.testing.assert_allclose(made["probabilities"][row].as_py(), [1 - p, p], atol=1e-6)
