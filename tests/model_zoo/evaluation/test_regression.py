"""Figures of several numbers: their text."""

import numpy as np

from model_zoo.evaluation.regression import compare_several


def test_vectors_are_shown_by_their_worst_numbers() -> None:
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(30, 40))
    predicted = truth + draw.normal(size=(30, 40)) * np.linspace(0, 2, 40)
    figures = compare_several(truth, predicted, [f"y[{place}]" for place in range(40)])
    text = figures.render()
    assert "y[39]" in text
    assert "y[0] " not in text
    assert len(text.splitlines()) < 32
