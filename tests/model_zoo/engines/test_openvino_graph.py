"""Which integers OpenVINO would compute with others in silence, and so never sees."""

import numpy as np
import pytest

from model_zoo.engines.openvino_graph import _refuse_large

MOST = (1 << 31) - 1


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, MOST], "int64"),
        ([-MOST - 1], "int64"),
        ([MOST], "uint32"),
        ([], "int64"),
        ([], "float32"),
        # Of other kinds any number is held.
        ([1e30, -1e30], "float32"),
        ([True], "bool"),
    ],
)
def test_what_32_bits_hold_is_taken(values: list[float], dtype: str) -> None:
    _refuse_large("x", np.array(values, dtype))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, MOST + 1], "int64"),
        ([-MOST - 2, 0], "int64"),
        ([MOST + 1], "uint32"),
        ([1 << 63], "uint64"),
    ],
)
def test_what_is_beyond_is_refused(values: list[int], dtype: str) -> None:
    with pytest.raises(OverflowError, match="x has an integer beyond 32 bits"):
        _refuse_large("x", np.array(values, dtype))
