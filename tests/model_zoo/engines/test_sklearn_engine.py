"""scikit-learn, from a `.skops` file: what the estimator gives, whatever the mini-batch; a damaged file costs a line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

skops_io = pytest.importorskip("skops.io")

from sklearn.ensemble import RandomForestClassifier  # noqa: E402

from model_zoo.engines.engine import choose_engine  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from tests.faults.counts import full_or  # noqa: E402
from tests.support.own_forms import check_bits, check_damaged, own_form_package  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("forked_children")]
ROWS = np.random.default_rng(0).normal(size=(201, 4))


def trained() -> tuple[bytes, Any]:
    """Return a forest's file, and the log-odds of its second class."""
    forest = RandomForestClassifier(5, max_depth=3, min_samples_leaf=20, random_state=0)
    forest.fit(ROWS, ROWS[:, 0] > ROWS[:, 1])
    first, second = np.maximum(forest.predict_proba(ROWS), 1e-38).T
    return skops_io.dumps(forest), np.log(second) - np.log(first)


def test_scores_are_scikit_learns_on_any_number_of_threads(tmp_path: Path) -> None:
    content, logits = trained()
    url = own_form_package(tmp_path / "m", "skops", content, {"x": ROWS}, {"logit": logits})
    assert choose_engine(read_package(url).card) == "sklearn"
    scored = check_bits(url, "sklearn", {"x": ROWS}, batches=(64,))
    np.testing.assert_allclose(scored.outputs["logit"], logits, rtol=1e-9, atol=1e-8)
    assert "sklearn " in scored.computed_by


def test_a_damaged_file_costs_a_line(tmp_path: Path) -> None:
    content, logits = trained()
    outputs = {"logit": logits}
    refusals = check_damaged(tmp_path, "skops", "sklearn", content, {"x": ROWS}, outputs, 5)
    # An archive knows the sum of what it holds.
    assert len(refusals) > full_or(2, 3)
