"""LightGBM's own file: the scores of the library, to the bit; a damaged file costs a line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

lightgbm = pytest.importorskip("lightgbm")

from tests.faults.counts import full_or  # noqa: E402
from tests.support.own_forms import check_bits, check_damaged, own_form_package  # noqa: E402


def trained(**parameters: Any) -> tuple[Any, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(1001, 3))
    x[:, 2] = random.integers(0, 5, len(x))
    target = (x[:, 0] > 0) ^ (x[:, 2] == 3)
    said = {"objective": "binary", "verbosity": -1, **parameters}
    data = lightgbm.Dataset(x, target, categorical_feature=[2])
    return lightgbm.train(said, data, 10), x


@pytest.mark.usefixtures("forked_children")
def test_scores_are_the_librarys_to_the_bit_whatever_the_batches_and_threads(
    tmp_path: Path,
) -> None:
    # What a graph has no words for: models in the leaves; and logits times two.
    booster, x = trained(linear_tree=True, sigmoid=2.0)
    probability = booster.predict(x)
    margin = booster.predict(x, raw_score=True) * 2
    np.testing.assert_allclose(1 / (1 + np.exp(-margin)), probability)
    content = booster.model_to_string().encode()
    url = own_form_package(tmp_path / "m", "lightgbm", content, {"x": x}, {"margin": margin})
    scored = check_bits(url, "lightgbm", {"x": x}, batches=(7, 64))
    np.testing.assert_array_equal(scored.outputs["margin"], margin)
    assert scored.computed_by.endswith(f"lightgbm {lightgbm.__version__}")


@pytest.mark.slow
@pytest.mark.usefixtures("forked_children")
def test_a_damaged_file_costs_a_line(tmp_path: Path) -> None:
    booster, x = trained(num_leaves=5)
    content = booster.model_to_string().encode()
    outputs = {"margin": booster.predict(x, raw_score=True)}
    refusals = check_damaged(tmp_path, "lightgbm", "lightgbm", content, {"x": x}, outputs, 12)
    assert len(refusals) > full_or(1, 5)
