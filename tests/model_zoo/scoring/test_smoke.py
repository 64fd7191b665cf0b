"""How far a smoke batch may be off: as little as the card says with reference settings, and as much as a dtype keeps else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.settings import Settings
from model_zoo.package.package import Package, read_package
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.smoke import check_smoke
from tests.support.builders import tiny_package

# Numbers that float32 holds, so that differences are what is written here.
SMALL, LARGE = [0.25, -0.5, 0.75], [0.25, -8.0, 4.0]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    url = tiny_package(tmp_path_factory.mktemp("package") / "model", smoke_tolerance=0.5)
    return read_package(url)


def expecting(package: Package, logits: list[float]) -> Package:
    x = pa.array([[1.0, 2.0, 3.0]] * len(logits), pa.list_(pa.float32(), 3))
    smoke = pa.table({"input.x": x, "output.logit": pa.array(logits, pa.float32())})
    return replace(package, smoke=smoke)


def shifted(logits: list[float], by: float) -> Callable[[Arrays], Scored]:
    def score(inputs: Arrays) -> Scored:
        assert inputs["x"].shape == (len(logits), 3)
        values = np.array(logits, np.float64)
        values[1] += by
        return Scored({"logit": values}, computed_by="a fake")

    return score


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("logits", [SMALL, LARGE])
def test_reference_settings_may_be_off_by_the_cards_tolerance(
    logits: list[float], sign: int, package: Package
) -> None:
    expected = expecting(package, logits)
    check_smoke(shifted(logits, 0.5 * sign), expected, Settings(4))
    with pytest.raises(
        ModelError, match=r"smoke output logit differs by .* more than 0\.5, on a fake"
    ):
        check_smoke(shifted(logits, 0.5009765625 * sign), expected, Settings(4))


@pytest.mark.parametrize(("logits", "largest"), [(SMALL, 1.0), (LARGE, 8.0)])
@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        ({"layout": "channels_last"}, 0.001),
        ({"dtype": "bfloat16"}, 0.05),
        ({"dtype": "float16"}, 0.05),
        ({"dtype": "int8"}, 0.5),
    ],
)
def test_other_settings_may_be_off_by_what_their_dtype_keeps_of_the_largest_output(
    settings: dict[str, Any],
    tolerance: float,
    logits: list[float],
    largest: float,
    package: Package,
) -> None:
    expected = expecting(package, logits)
    check_smoke(shifted(logits, 0.99 * tolerance * largest), expected, Settings(4, **settings))
    with pytest.raises(ModelError, match="smoke output logit differs by"):
        check_smoke(shifted(logits, 1.01 * tolerance * largest), expected, Settings(4, **settings))


def test_no_number_is_near_nan(package: Package) -> None:
    with pytest.raises(ModelError, match="differs by nan"):
        check_smoke(shifted(SMALL, float("nan")), expecting(package, SMALL), Settings(4))
