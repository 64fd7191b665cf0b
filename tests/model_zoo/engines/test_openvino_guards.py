"""A row that looks up what is not there is rejected alone, as by numpy; no other row changes, and no memory of others is read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")

from onnx import TensorProto, helper  # noqa: E402

from model_zoo.engines.openvino_flags import depends_on_rows  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.graphs import graph_of, package_of  # noqa: E402

TABLE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
FAR = (1 << 31) - 1


def look_up(url: Path, nodes: list[Any], x: np.ndarray, arrays: dict[str, Any]) -> Any:
    model = graph_of(nodes, arrays, dtype=TensorProto.INT64)
    package = read_package(package_of(url, model, {"x": x[:2]}))
    # In a mini-batch with others, and padded.
    return load_scorer(package, "cpu", Settings(16, engine="openvino"), 2)({"x": x})


@pytest.mark.parametrize("wrong", [(0, 0, 4), (0, 0, -5), (2, 0, 0), (FAR, FAR, FAR), (-FAR, 0, 0)])
def test_places(tmp_path: Path, wrong: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    x = random.integers((-2, -3, -4), (2, 3, 4), (40, 3))
    expected = TABLE[tuple(x.T)]
    x[21] = wrong
    nodes = [helper.make_node("GatherND", ["table", "x"], ["logit"])]
    scored = look_up(tmp_path / "m", nodes, x, {"table": TABLE})
    assert list(scored.rejected) == [21]
    assert "an index is outside" in str(scored.rejected[21])
    others = np.arange(40) != 21
    np.testing.assert_array_equal(scored.outputs["logit"][others], expected[others])


@pytest.mark.parametrize("wrong", [10, -11, FAR])
def test_numbers_of_an_embedding(tmp_path: Path, wrong: int) -> None:
    """OpenVINO gives zeros for a number that the table does not have."""
    table = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
    x = np.random.default_rng(1).integers(-10, 10, (40, 3))
    expected = table[x]
    x[7, 2] = wrong
    nodes = [helper.make_node("Gather", ["table", "x"], ["logit"])]
    scored = look_up(tmp_path / "m", nodes, x, {"table": table})
    assert list(scored.rejected) == [7]
    others = np.arange(40) != 7
    np.testing.assert_array_equal(scored.outputs["logit"][others], expected[others])


def test_indices_that_are_computed(tmp_path: Path) -> None:
    table = np.arange(10, dtype=np.float32)
    x = np.zeros((30, 3), np.int64)
    x[4] = 8
    nodes = [
        helper.make_node("Add", ["x", "two"], ["more"]),
        helper.make_node("Gather", ["table", "more"], ["logit"]),
    ]
    scored = look_up(tmp_path / "m", nodes, x, {"table": table, "two": np.array([2])})
    assert list(scored.rejected) == [4]


@pytest.mark.parametrize("wrong", [3, -4, FAR])
def test_elements(tmp_path: Path, wrong: int) -> None:
    x = np.random.default_rng(1).integers(-3, 3, (40, 3))
    values = x.astype(np.float32)
    expected = np.take_along_axis(values, x, axis=1)
    x[9, 1] = wrong
    nodes = [
        helper.make_node("Cast", ["x"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("GatherElements", ["values", "x"], ["logit"], axis=1),
    ]
    scored = look_up(tmp_path / "m", nodes, x, {})
    assert list(scored.rejected) == [9]
    others = np.arange(40) != 9
    np.testing.assert_array_equal(scored.outputs["logit"][others], expected[others])


@pytest.mark.parametrize("wrong", [3, -4, FAR])
def test_what_is_written_to(tmp_path: Path, wrong: int) -> None:
    x = np.random.default_rng(1).permuted(np.tile([0, 1, -1], (40, 1)), axis=1)
    values = x.astype(np.float32)
    expected = values.copy()
    np.put_along_axis(expected, x, 2 * values, axis=1)
    x[9, 1] = wrong
    nodes = [
        helper.make_node("Cast", ["x"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["values", "values"], ["twice"]),
        helper.make_node("ScatterElements", ["values", "x", "twice"], ["logit"], axis=1),
    ]
    scored = look_up(tmp_path / "m", nodes, x, {})
    assert list(scored.rejected) == [9]
    others = np.arange(40) != 9
    np.testing.assert_array_equal(scored.outputs["logit"][others], expected[others])


class Operator:
    """An operator of a kind, and those whose outputs it takes."""

    def __init__(self, kind: str, *sources: "Operator") -> None:
        self.kind, self.sources = kind, sources

    def get_node(self) -> "Operator":
        return self

    def get_name(self) -> str:
        return str(id(self))

    def get_type_name(self) -> str:
        return self.kind

    def input_values(self) -> tuple["Operator", ...]:
        return self.sources


ROWS = Operator("Parameter")
FIXED = Operator("Constant")
SIZES = Operator("ShapeOf", ROWS)
# Two ways that meet again, many times over: each operator is looked at once.
MANY = FIXED
for _ in range(60):
    MANY = Operator("Add", MANY, MANY)


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        (ROWS, True),
        (FIXED, False),
        # Shapes are those of the mini-batch, whatever its rows say.
        (SIZES, False),
        (Operator("Add", FIXED, SIZES), False),
        (Operator("Add", FIXED, ROWS), True),
        (Operator("Add", SIZES, Operator("Cast", ROWS)), True),
        (MANY, False),
        (Operator("Add", MANY, ROWS), True),
    ],
)
def test_indices_that_come_of_rows_are_told_from_those_that_come_of_shapes(
    indices: Any, expected: bool
) -> None:
    assert depends_on_rows(indices) is expected
