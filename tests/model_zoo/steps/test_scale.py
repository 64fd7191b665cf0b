"""Numbers are scaled as scikit-learn scales them, in the types that a network takes."""

import numpy as np
import pyarrow as pa
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from model_zoo.steps.scale import Scale, Standardise
from model_zoo.steps.table import apply_steps
from tests.model_zoo.steps.columns import TABLE, make_columns, stacked


def test_scale_is_scikit_learns_min_max_scaler() -> None:
    scaler = MinMaxScaler((-1, 2)).fit(TABLE)
    step = Scale(
        step="scale",
        columns=tuple("abc"),
        factor=tuple(scaler.scale_.tolist()),
        offset=tuple(scaler.min_.tolist()),
    )
    check_scales_as(scaler, step)


def test_standardise_is_scikit_learns_scaler() -> None:
    scaler = StandardScaler().fit(TABLE)
    step = Standardise(
        step="standardise",
        columns=tuple("abc"),
        mean=tuple(scaler.mean_.tolist()),
        scale=tuple(scaler.scale_.tolist()),
    )
    check_scales_as(scaler, step)


def check_scales_as(scaler: MinMaxScaler | StandardScaler, step: Scale | Standardise) -> None:
    actual = stacked(apply_steps([step], make_columns(TABLE), 200))
    np.testing.assert_allclose(actual, scaler.transform(TABLE), rtol=1e-12)


def test_scaling_keeps_float32_widens_integers_and_lets_missing_values_stay_missing() -> None:
    step = Scale(step="scale", columns=("a", "b"), factor=(2.0, 0.5), offset=(1.0, 0.0))
    columns = {
        "a": pa.array([1.0, None], type=pa.float32()),
        "b": pa.array([2**40 + 1, None], type=pa.int64()),
    }
    result = step.apply(columns, 2)
    assert (result["a"].dtype, result["b"].dtype) == (np.float32, np.float64)  # type: ignore[union-attr]
    np.testing.assert_array_equal(result["a"], np.array([3.0, np.nan], dtype=np.float32))
    np.testing.assert_array_equal(result["b"], [2**39 + 0.5, np.nan])
