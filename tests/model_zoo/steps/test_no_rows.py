"""Batches without rows, as empty shards and shards of rejected rows leave them, have the shape of all others."""

from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter
import pytest

from model_zoo.steps.table import AnyStep, apply_steps
from tests.support import pictures, text_models

STEP: TypeAdapter[Any] = TypeAdapter(AnyStep)
NUMBERS = {"a": pa.array([1.0, None, 3.0]), "b": pa.array([4, 5, 6])}
TEXTS = {"a": pa.array(["x", "y", "x"])}
LISTS = {"a": pa.array([[1.0, 2.0], [], [3.0]])}
WIDE = {"a": np.arange(18.0).reshape(3, 2, 3), "b": np.arange(3.0)}
NODES = pa.array([[[1.0], [2.0]], [[3.0]], []])
ENDS = pa.array([[0, 1], [0], []], pa.list_(pa.int64()))


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        ({"step": "fill", "columns": ["a"], "values": [0.5]}, NUMBERS),
        ({"step": "scale", "columns": ["a", "b"], "factor": [2, 3], "offset": [1, 0]}, NUMBERS),
        ({"step": "standardise", "columns": ["b"], "mean": [2], "scale": [1]}, NUMBERS),
        ({"step": "cast", "columns": ["a"], "dtype": "float32"}, NUMBERS),
        ({"step": "stack", "columns": ["a", "b"], "into": "x"}, NUMBERS),
        ({"step": "stack", "columns": ["a", "b"], "into": "x"}, {**WIDE, "a": WIDE["a"][:, 0]}),
        (
            {"step": "one_hot", "columns": ["a"], "unknown": "zeros", "categories": [["x", "y"]]},
            TEXTS,
        ),
        ({"step": "ordinal", "columns": ["a"], "unknown": "code", "categories": [["x"]]}, TEXTS),
        (
            {"step": "date_parts", "columns": ["a"], "parts": ["year", "month"], "cyclic": True},
            {"a": pa.array([0, 1, None], pa.timestamp("s"))},
        ),
        (
            {
                "step": "select",
                "columns": ["a", "b"],
                "into": "x",
                "method": "l1",
                "kept": [[0], [0]],
            },
            NUMBERS,
        ),
        (
            {
                "step": "select",
                "columns": ["a", "b"],
                "into": "x",
                "method": "l1",
                "kept": [[5], []],
            },
            WIDE,
        ),
        (
            {"step": "pca", "columns": ["a", "b"], "into": "x", "mean": [1, 2], "axes": [[1, 0]]},
            NUMBERS,
        ),
        (
            {"step": "pca", "columns": ["a"], "into": "x", "mean": [0] * 6, "axes": [[1] * 6] * 2},
            WIDE,
        ),
        ({"step": "pad", "column": "a", "shape": [4], "into": "x", "mask_into": "m"}, LISTS),
        (
            {
                "step": "graph",
                "nodes": "a",
                "edges": ["b", "b"],
                "nodes_shape": [4, 1],
                "most_edges": 3,
            },
            {"a": NODES, "b": ENDS},
        ),
        (
            {"step": "image", "column": "a", "into": "x", "height": 4, "width": 5},
            {"a": pa.array([pictures.make_png(0)] * 3)},
        ),
        (text_models.step().model_dump() | {"column": "a"}, TEXTS),
    ],
    ids=lambda value: value.get("step", ""),
)
def test_no_rows_have_the_shape_of_rows(fields: dict[str, Any], columns: dict[str, Any]) -> None:
    step = STEP.validate_python(fields)
    some = apply_steps((step,), columns, 3)
    none = apply_steps((step,), {name: column[:0] for name, column in columns.items()}, 0)
    assert none.keys() == some.keys()
    for name, column in none.items():
        if isinstance(column, np.ndarray):
            assert column.shape == (0, *np.shape(some[name])[1:])
            assert column.dtype == np.asarray(some[name]).dtype
        else:
            assert (len(column), column.type) == (0, some[name].type)
