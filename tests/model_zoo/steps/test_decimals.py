"""Decimals as doubles, against Python's own float of each."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.steps.decimals import to_nearest_doubles

TYPES = [
    pa.decimal32(9, 2),
    pa.decimal64(15, 2),
    pa.decimal128(9, 2),
    pa.decimal128(18, 4),
    pa.decimal128(38, 20),
    pa.decimal128(9, 0),
    pa.decimal256(9, 2),
    pa.decimal256(60, 30),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_each_is_the_double_nearest_to_it(dtype: pa.DataType) -> None:
    scale = min(dtype.scale, 2)
    units = np.random.default_rng(0).integers(-(10**6), 10**6, 500).tolist()
    amounts = [Decimal(unit).scaleb(-scale) for unit in units]
    column = pa.array([None, *amounts], pa.decimal128(9, scale)).cast(dtype)
    assert to_nearest_doubles(column).to_pylist() == [None, *map(float, amounts)]
    # A part of a batch, as rows behind a rejected one are.
    assert to_nearest_doubles(column[7:9]).to_pylist() == [*map(float, amounts[6:8])]


def test_a_scale_below_zero() -> None:
    column = pa.array([Decimal("1200"), None], pa.decimal128(4, -2))
    assert to_nearest_doubles(column).to_pylist() == [1200.0, None]
