"""Probabilities become logits in a graph, and these become the same probabilities again."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402

from pipelines.packing.converters.sklearn_logits import choose_finish, finish_graph  # noqa: E402

TWO = np.array([[0.75, 0.25], [0.0, 1.0], [1.0, 0.0], [0.5, 0.5], [0.499, 0.501]], np.float32)
THREE = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.1, 0.8, 0.1]], np.float32)


def finish(given: np.ndarray, classes: int, is_of_label_sets: bool) -> tuple[Any, dict[str, Any]]:
    """Finish a graph that gives a label and what it is given, as skl2onnx' graphs do, and compute it."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, *given.shape[1:]])
    label = helper.make_tensor_value_info("label", TensorProto.FLOAT, None)
    last = helper.make_tensor_value_info("last", TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("Neg", ["x"], ["label"]),
        helper.make_node("Identity", ["x"], ["last"]),
    ]
    graph = helper.make_graph(nodes, "g", [x], [label, last])
    opsets = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    finish_graph(model, classes, is_of_label_sets)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    computed = session.run(None, {"x": given})
    return session, dict(zip(names, computed, strict=True))


@pytest.mark.parametrize(("given", "classes"), [(TWO, 2), (THREE, 3)])
@pytest.mark.parametrize("is_of_label_sets", [True, False])
def test_logits_give_the_probabilities_again(
    given: np.ndarray, classes: int, is_of_label_sets: bool
) -> None:
    _, outputs = finish(given, classes, is_of_label_sets)
    assert list(outputs) == ["logit"]
    logits = outputs["logit"]
    assert logits.dtype == np.float64
    is_of_two = classes == 2 and not is_of_label_sets
    assert logits.shape == (given.shape[:1] if is_of_two else given.shape)
    back = choose_finish("softmax", is_of_label_sets)(outputs)
    np.testing.assert_allclose(back["probability"], given, atol=1e-7)
    # What is impossible has a logit all the same, far below any that counts.
    assert np.isfinite(logits).all()


def test_of_two_that_are_alike_the_first_is_taken() -> None:
    _, outputs = finish(TWO, 2, is_of_label_sets=False)
    logits = outputs["logit"]
    assert logits[3] < 0
    # Nobody sees the difference in a probability.
    assert logits[3] > -1e-8
    picked = np.argmax(choose_finish("sigmoid", False)(outputs)["probability"], axis=1)
    assert picked.tolist() == [0, 1, 0, 0, 1]


def test_logits_are_logarithms_of_odds() -> None:
    odds = finish(TWO[:1], 2, is_of_label_sets=False)[1]["logit"]
    np.testing.assert_allclose(odds, [np.log(1 / 3)], rtol=1e-6)
    of_each = finish(THREE[:1], 3, is_of_label_sets=True)[1]["logit"]
    wide = THREE[:1].astype(np.float64)
    np.testing.assert_allclose(of_each, np.log(wide / (1 - wide)), rtol=1e-6)
    of_all = finish(THREE[:1], 3, is_of_label_sets=False)[1]["logit"]
    np.testing.assert_allclose(of_all, np.log(wide), rtol=1e-6)


def test_the_least_probability_is_none_in_any_table() -> None:
    impossible = finish(TWO[2:3], 2, is_of_label_sets=False)[1]["logit"]
    np.testing.assert_allclose(impossible, [np.log(1e-38)], rtol=1e-12)


def test_a_prediction_stays_as_it_is() -> None:
    given = np.array([[1.5], [-2.0]], np.float32)
    _, outputs = finish(given, 0, is_of_label_sets=False)
    assert list(outputs) == ["prediction"]
    np.testing.assert_array_equal(outputs["prediction"], given)
    assert choose_finish("none", False)(outputs) == outputs
