"""Entities of tags, and their figures: seqeval's own examples, and another way to find entities."""

import re

import numpy as np
import pytest

from configs.errors import InputError
from model_zoo.evaluation.entities import compare_entities, find_entities, has_entities

# The example of seqeval's README, and the figures that stand there.
TRUE = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
PREDICTED = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]


def test_the_figures_are_those_of_seqevals_own_example() -> None:
    truth = [find_entities(row) for row in TRUE]
    predicted = [find_entities(row) for row in PREDICTED]
    figures = compare_entities(truth, predicted, 0.8)
    assert (figures.precision, figures.recall, figures.f1) == (0.5, 0.5, 0.5)
    assert (figures.macro_precision, figures.macro_recall, figures.macro_f1) == (0.5, 0.5, 0.5)
    by_label = {label.label: (label.f1, label.true_entities) for label in figures.labels}
    assert by_label == {"MISC": (0.0, 1), "PER": (1.0, 1)}
    assert "F1 of entities      0.5000" in figures.render()
    assert figures.as_dict()["labels"][0]["label"] == "MISC"


def _find_by_pattern(tags: list[str]) -> set[tuple[str, int, int]]:
    """Another way: each tag is one letter, and an entity is a pattern of them."""
    letters = {"O": "o", "B-X": "X", "I-X": "x", "B-Y": "Y", "I-Y": "y"}
    text = "".join(letters[tag] for tag in tags)
    runs = re.finditer("Xx*|x+|Yy*|y+", text)
    return {(run.group()[0].upper(), run.start(), run.end()) for run in runs}


def test_entities_of_any_tags_are_the_runs_of_a_pattern() -> None:
    draw = np.random.default_rng(7)
    for _ in range(1000):
        tags = draw.choice(["O", "B-X", "I-X", "B-Y", "I-Y"], draw.integers(12)).tolist()
        assert find_entities(tags) == _find_by_pattern(tags), tags


def test_a_label_may_hold_a_dash() -> None:
    assert find_entities(["B-ORG-UNI", "I-ORG-UNI", "I-ORG"]) == {
        ("ORG-UNI", 0, 2),
        ("ORG", 2, 3),
    }


def test_what_is_undefined_is_0() -> None:
    figures = compare_entities([{("X", 0, 1)}], [set()])
    assert (figures.precision, figures.recall, figures.f1) == (0, 0, 0)
    assert "accuracy of tokens  undefined" in figures.render()
    with pytest.raises(InputError, match="there is no entity to compare"):
        compare_entities([set()], [set()])


def test_what_names_an_entity() -> None:
    assert has_entities(["B-X", "O"])
    assert not has_entities(["B-X", "NOUN"])
    assert not has_entities([])


def test_the_text_of_figures() -> None:
    truth = [{("PERSON", 0, 1), ("X", 2, 3)}, {("X", 0, 1)}]
    predicted = [{("PERSON", 0, 1), ("X", 2, 4)}, {("X", 0, 1)}]
    assert compare_entities(truth, predicted, 0.75).render().splitlines() == [
        "rows                2",
        "true entities       3",
        "predicted entities  3",
        "F1 of entities      0.6667  (precision 0.6667, recall 0.6667)",
        "macro F1            0.7500  (precision 0.7500, recall 0.7500)",
        "accuracy of tokens  0.7500",
        "",
        "label   true entities  precision  recall      F1",
        "PERSON              1     1.0000  1.0000  1.0000",
        "X                   2     0.5000  0.5000  0.5000",
    ]


def test_a_label_that_is_only_true_or_only_predicted_has_figures() -> None:
    figures = compare_entities([{("A", 0, 1)}], [{("B", 0, 1)}])
    found = [(label.label, label.true_entities, label.f1) for label in figures.labels]
    assert found == [("A", 1, 0.0), ("B", 0, 0.0)]
