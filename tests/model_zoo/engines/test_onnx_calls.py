"""A session is called with tensors where they lie, and gives the same as with arrays; any GPU's path, on the CPU's memory."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from model_zoo.engines.onnx_calls import make_graph, make_graph_on  # noqa: E402
from model_zoo.engines.onnx_session import make_session  # noqa: E402
from tests.support.graphs import WEIGHTS, linear_graph  # noqa: E402

CPU = torch.device("cpu")


def session_of(model: Any) -> Any:
    return make_session(model.SerializeToString(), {}, "g")


def two_kinds() -> Any:
    """`doubled` int64 (rows, 2) of the whole numbers `n`, and `sum` float64 (rows, 1) of the column `x`."""
    n = helper.make_tensor_value_info("n", TensorProto.INT64, ["rows", 2])
    x = helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["rows", 1])
    doubled = helper.make_tensor_value_info("doubled", TensorProto.INT64, ["rows", 2])
    total = helper.make_tensor_value_info("sum", TensorProto.DOUBLE, ["rows", 1])
    nodes = [
        helper.make_node("Add", ["n", "n"], ["doubled"]),
        helper.make_node("Add", ["x", "one"], ["sum"]),
    ]
    one = numpy_helper.from_array(np.array([1.0]), "one")
    inner = helper.make_graph(nodes, "g", [n, x], [doubled, total], [one])
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_tensors_where_they_lie_are_scored_as_arrays_are(rows: int) -> None:
    session = session_of(linear_graph())
    x = torch.randn(rows, 3, generator=torch.Generator().manual_seed(0))
    on_device = make_graph_on(CPU, session, {"logit": ()})
    found = on_device(x=x)["logit"]
    assert found.shape == (rows,)
    np.testing.assert_allclose(found.numpy(), (x.numpy() @ WEIGHTS)[:, 0], rtol=1e-5, atol=1e-6)
    # The strides of stacked columns.
    turned = x.T.contiguous().T
    assert torch.equal(on_device(x=turned)["logit"], found)
    assert torch.equal(make_graph(session, {"logit": ()})(x=x)["logit"], found)


def test_whole_numbers_doubles_and_columns() -> None:
    on_device = make_graph_on(CPU, session_of(two_kinds()), {"sum": (), "doubled": (2,)})
    n = torch.arange(6).reshape(3, 2)
    x = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    found = on_device(n=n, x=x)
    assert found["doubled"].tolist() == (2 * n).tolist()
    assert found["sum"].tolist() == (x + 1).tolist()


def test_many_threads_call_one_session() -> None:
    on_device = make_graph_on(CPU, session_of(linear_graph()), {"logit": ()})
    batches = [torch.full((5, 3), float(number)) for number in range(200)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda batch: on_device(x=batch)["logit"], batches))
    total = float(WEIGHTS.sum())
    for number, logits in enumerate(found):
        np.testing.assert_allclose(logits.numpy(), number * total, rtol=1e-5, atol=1e-5)


def test_an_output_of_another_shape_than_the_cards_is_an_error() -> None:
    """Memory of the card's shape would be written past its end."""
    on_device = make_graph_on(CPU, session_of(two_kinds()), {"doubled": (1,)})
    with pytest.raises(Exception, match=r"(?i)shape|dimension"):
        on_device(n=torch.arange(6).reshape(3, 2), x=torch.zeros(3, dtype=torch.float64))
