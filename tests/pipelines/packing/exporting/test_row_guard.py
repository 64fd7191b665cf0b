"""Rows that torch gives no score get none by an exported graph either; what torch takes, the graph does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

onnxruntime = pytest.importorskip("onnxruntime")

from model_zoo.architectures.builders import build  # noqa: E402
from model_zoo.arrays import Arrays  # noqa: E402
from pipelines.packing.exporting.network_graph import export_network  # noqa: E402
from pipelines.packing.exporting.row_guard import (  # noqa: E402
    _find_wrong_rows,
    find_guarded,
    mark_rows,
)
from tests.pipelines.packing.exporting.networks import OURS, card_of, draw  # noqa: E402
from tests.support.installed import need  # noqa: E402

need("onnxscript")


def session_of(network: nn.Module, builder: str, inputs: Arrays, outputs: Any, **more: str) -> Any:
    content = export_network(network, card_of(builder, inputs, outputs, **more), inputs)
    return onnxruntime.InferenceSession(content.SerializeToString(), providers=["CPUExecutionProvider"])  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["gru", "lstm", "mlp"])
def test_a_row_with_nan_has_no_score(builder: str) -> None:
    """ONNX Runtime's recurrent layers would make a number of it."""
    parameters, inputs = OURS[builder]
    torch.manual_seed(0)
    network = build(builder, parameters).eval()
    with torch.inference_mode():
        outputs = network(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    session = session_of(network, builder, inputs, outputs)
    x = inputs["x"].copy()
    x[2].reshape(-1)[0] = np.nan
    (found,) = session.run(None, {**inputs, "x": x})
    (whole,) = session.run(None, inputs)
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(np.delete(found, 2, 0), np.delete(whole, 2, 0))


class Table(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 4)

    def forward(self, kinds: torch.Tensor) -> torch.Tensor:
        return self.table(kinds).sum((1, 2))


@pytest.mark.slow
def test_a_negative_index_is_not_taken_from_the_tables_end() -> None:
    torch.manual_seed(0)
    network = Table().eval()
    kinds = np.arange(64).reshape(32, 2) % 9
    with torch.inference_mode():
        outputs = {"output": network(torch.from_numpy(kinds))}
    more = {"call": "positions"}
    session = session_of(network, "somebodys_module:Table", {"kinds": kinds}, outputs, **more)
    changed = kinds.copy()
    changed[3, 1] = -1
    (found,) = session.run(None, {"kinds": changed})
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]


def linear(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (x @ torch.ones(3),)


def fills_missing(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (torch.nan_to_num(x).sum(1),)


def fills_the_first(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (torch.nan_to_num(x[:, 0]) + x[:, 1:].sum(1),)


@pytest.mark.parametrize(
    ("call", "is_guarded"), [(linear, True), (fills_missing, False), (fills_the_first, False)]
)
def test_what_torch_takes_is_not_guarded(call: Callable[..., Any], is_guarded: bool) -> None:
    found = find_guarded(call, [torch.from_numpy(draw(4, 3))], ["x"])
    assert found == ({"x"} if is_guarded else set())


def test_whole_numbers_are_guarded_where_torch_raises() -> None:
    network = Table().eval()
    kinds = torch.arange(8).reshape(4, 2)
    assert find_guarded(lambda x: (network(x),), [kinds], ["kinds"]) == {"kinds"}
    assert find_guarded(lambda x: (x.float().sum(1),), [kinds], ["kinds"]) == set()
    is_known = torch.ones(4, 2, dtype=torch.bool)
    assert find_guarded(lambda x: (x.float().sum(1),), [is_known], ["mask"]) == set()


@pytest.mark.parametrize(
    ("tensor", "wrong"),
    [
        ([0, 5, -1], [False, False, True]),
        ([[0, 1], [2, -1], [-9, -9]], [False, True, True]),
        ([0.0, -1.0, torch.nan], [False, False, True]),
        ([[[0.0], [torch.nan]], [[-1.0], [torch.inf]]], [True, False]),
    ],
)
def test_a_row_is_wrong_that_holds_nan_or_a_negative_whole_number(
    tensor: list[Any], wrong: list[bool]
) -> None:
    assert _find_wrong_rows(torch.tensor(tensor)).tolist() == wrong


def test_outputs_are_nan_in_the_rows_that_any_guarded_input_makes_wrong() -> None:
    plain = torch.tensor([1.0, 2.0, 3.0])
    wide = torch.arange(6.0).reshape(3, 2)
    counts = torch.tensor([1, 2, 3])
    guarded = {"x": torch.tensor([torch.nan, 0.0, 0.0]), "kind": torch.tensor([[0], [0], [-1]])}
    marked = mark_rows([plain, wide, counts], guarded)
    assert torch.isnan(marked[0]).tolist() == [True, False, True]
    assert torch.isnan(marked[1]).tolist() == [[True, True], [False, False], [True, True]]
    # A whole number cannot be NaN.
    assert marked[2] is counts
    assert mark_rows([plain], {}) == [plain]
