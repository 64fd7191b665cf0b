"""What engines of graphs share: dtypes to try, rows as graphs take them, and settings that name a graph in 8 bits."""

from collections.abc import Iterable

import numpy as np
import pytest
import torch

from model_zoo.engines.engine import Inputs
from model_zoo.engines.graph_settings import (
    arrange_batches,
    calibrate_graph,
    list_dtypes,
    refine_nothing,
)
from model_zoo.engines.quantised_graph import read_content
from model_zoo.engines.settings import Settings


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        ((), ["bfloat16", "int8"]),
        (("int8", "compile"), ["bfloat16"]),
        (("int8", "bfloat16"), []),
    ],
)
def test_dtypes_are_listed_in_their_order_but_for_those_to_leave_out(
    without: tuple[str, ...], expected: list[str]
) -> None:
    found = list(list_dtypes("some", ("bfloat16", "int8"), 16, without))
    assert found == [Settings(16, dtype, engine="some") for dtype in expected]  # type: ignore[arg-type]


def test_nothing_makes_them_faster_still() -> None:
    assert list(refine_nothing()) == []


def test_int8_gets_a_graph_that_is_made_of_so_many_rows() -> None:
    asked: list[int] = []

    def sample(rows: int) -> list[Inputs]:
        asked.append(rows)
        return [{"x": torch.zeros(2, 3)}]

    def quantise(batches: Iterable[Inputs]) -> bytes:
        return b"graph of %d" % len(list(batches))

    settings = Settings(16, "int8", engine="some")
    made = calibrate_graph(settings, sample, 25, quantise)
    assert asked == [25]
    assert made.graph is not None
    assert read_content(made.graph) == b"graph of 1"
    # Others stay as they are, and no row is read for them.
    plain = Settings(16, "bfloat16", engine="some")
    assert calibrate_graph(plain, sample, 25, quantise) is plain
    assert asked == [25]


def test_a_column_is_given_as_the_graph_takes_it() -> None:
    helper = pytest.importorskip("onnx").helper
    ports = [
        helper.make_tensor_value_info("table", 1, ["rows", 3]),
        helper.make_tensor_value_info("column", 1, ["rows", 1]),
    ]
    model = helper.make_model(helper.make_graph([], "g", ports, []))
    batches = [{"table": torch.ones(rows, 3), "column": torch.ones(rows)} for rows in (4, 2)]
    first, second = arrange_batches(model, batches)
    assert {name: array.shape for name, array in first.items()} == {"table": (4, 3), "column": (4, 1)}  # fmt: skip
    assert second["column"].shape == (2, 1)
    assert first["table"].dtype == np.float32
