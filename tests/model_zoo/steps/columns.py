"""Columns of numbers for the tests of steps, and what those made of them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import RejectedRows

TABLE = np.random.default_rng(5).normal(3, 10, (200, 3))


def make_columns(values: np.ndarray, names: str = "abc") -> dict[str, Any]:
    """Return the columns of an array (rows, columns) as Arrow arrays, each named with a letter."""
    return {name: pa.array(column) for name, column in zip(names, values.T, strict=True)}


def stacked(columns: dict[str, Any], names: str = "abc") -> np.ndarray:
    """Return columns side by side."""
    return np.stack([np.asarray(columns[name]) for name in names], axis=1)


def bad_rows(step: Any, columns: dict[str, Any], rows: int) -> dict[int, str]:
    """Return the rows that a step rejects, and why."""
    with pytest.raises(RejectedRows) as caught:
        step.apply(columns, rows)
    return {position: str(reason) for position, reason in caught.value.reasons.items()}
