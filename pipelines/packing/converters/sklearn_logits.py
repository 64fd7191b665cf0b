"""Probabilities of a scikit-learn classifier's graph -> logits, and back for the comparison."""

from collections.abc import Callable
from typing import Any

import numpy as np

from model_zoo.activations import sigmoid, softmax
from model_zoo.arrays import Arrays
from pipelines.packing.converters.converted import Activation

# A probability of 0 has no logarithm; this one is 0 in every table.
_LEAST = 1e-38
# Of two classes equally probable scikit-learn takes the first, and a sigmoid's threshold the second.
_TIE = -1e-9


def finish_graph(model: Any, classes: int, is_of_label_sets: bool) -> None:
    """Put logits, or one prediction, in place of the estimator's outputs.

    Args:
        model: whose last output is the estimator's probabilities, or its prediction.
        classes: how many there are; 0 for a regression.
        is_of_label_sets: whether a row may have any number of them.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    make = helper.make_node
    last = graph.output[-1].name
    del graph.output[:]
    if not classes:
        graph.node.append(make("Identity", [last], ["prediction"]))
        graph.output.append(helper.make_tensor_value_info("prediction", TensorProto.FLOAT, None))
        return
    is_softmax = classes > 2 and not is_of_label_sets
    logarithms = "logit" if is_softmax else "logarithms"
    graph.initializer.append(numpy_helper.from_array(np.float64(_LEAST), "least"))
    graph.node.extend(
        [
            make("Cast", [last], ["wide"], to=TensorProto.DOUBLE),
            make("Max", ["wide", "least"], ["positive"]),
            make("Log", ["positive"], [logarithms]),
        ]
    )
    if is_of_label_sets:
        _subtract_rest(graph)
    elif classes == 2:
        _subtract_first(graph)
    graph.output.append(helper.make_tensor_value_info("logit", TensorProto.DOUBLE, None))


def _subtract_rest(graph: Any) -> None:
    """Make a logit of each probability: its logarithm less that of what is left of 1."""
    from onnx import helper, numpy_helper

    make = helper.make_node
    graph.initializer.append(numpy_helper.from_array(np.float64(1), "one"))
    graph.node.extend(
        [
            make("Sub", ["one", "wide"], ["rest"]),
            make("Max", ["rest", "least"], ["positive_rest"]),
            make("Log", ["positive_rest"], ["logarithms_of_rest"]),
            make("Sub", ["logarithms", "logarithms_of_rest"], ["logit"]),
        ]
    )


def _subtract_first(graph: Any) -> None:
    """Make one logit of the logarithms of two classes."""
    from onnx import helper, numpy_helper

    make = helper.make_node
    constants = {"tie": np.float64(_TIE), "zero": np.float64(0), "0": np.int64(0), "1": np.int64(1)}
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    graph.node.extend(
        [
            make("Gather", ["logarithms", "0"], ["of_first"], axis=1),
            make("Gather", ["logarithms", "1"], ["of_second"], axis=1),
            make("Sub", ["of_second", "of_first"], ["difference"]),
            make("Equal", ["difference", "zero"], ["is_tie"]),
            make("Where", ["is_tie", "tie", "difference"], ["logit"]),
        ]
    )


def choose_finish(activation: Activation, is_of_label_sets: bool) -> Callable[[Arrays], Arrays]:
    """Return what makes of the graph's outputs what the library gives."""
    if activation == "none":
        return dict
    return _to_label_probabilities if is_of_label_sets else _to_probabilities


def _to_label_probabilities(outputs: Arrays) -> Arrays:
    return {"probability": sigmoid(outputs["logit"])}


def _to_probabilities(outputs: Arrays) -> Arrays:
    logits = outputs["logit"]
    if logits.ndim == 2:
        return {"probability": softmax(logits)}
    second = sigmoid(logits)
    return {"probability": np.stack([1 - second, second], axis=1)}
