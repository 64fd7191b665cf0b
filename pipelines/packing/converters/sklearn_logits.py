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
    from onnx import TensorProto, helper

    graph = model.graph
    make = helper.make_node
    # skl2onnx gives the predicted label first.
    last = graph.output[-1].name
    del graph.output[:]
    if not classes:
        identity = make("Identity", [last], ["prediction"])
        graph.node.append(identity)
        _add_output(graph, "prediction", TensorProto.FLOAT)
        return
    # A softmax takes away what all classes have in common, so logarithms are logits already.
    is_softmax = classes > 2 and not is_of_label_sets
    logarithms = "logit" if is_softmax else "logarithms"
    _hold(graph, "least", np.float64(_LEAST))
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
    _add_output(graph, "logit", TensorProto.DOUBLE)


def _add_output(graph: Any, name: str, kind: int) -> None:
    from onnx import helper

    described = helper.make_tensor_value_info(name, kind, None)
    graph.output.append(described)


def _hold(graph: Any, name: str, value: np.generic) -> None:
    """Add a number as a constant, of its own dtype."""
    from onnx import numpy_helper

    array = np.asarray(value)
    constant = numpy_helper.from_array(array, name)
    graph.initializer.append(constant)


def _subtract_rest(graph: Any) -> None:
    """Make a logit of each probability: its logarithm less that of what is left of 1."""
    from onnx import helper

    make = helper.make_node
    _hold(graph, "one", np.float64(1))
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
    from onnx import helper

    make = helper.make_node
    _hold(graph, "tie", np.float64(_TIE))
    _hold(graph, "zero", np.float64(0))
    _hold(graph, "0", np.int64(0))
    _hold(graph, "1", np.int64(1))
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
    """Return what makes of the graph's outputs what the library gives.

    Args:
        activation: of the graph's logits.
        is_of_label_sets: whether a row may have any number of labels.
    """
    if activation == "none":
        return dict
    if is_of_label_sets:
        return _to_label_probabilities
    return _to_probabilities


def _to_label_probabilities(outputs: Arrays) -> Arrays:
    probabilities = sigmoid(outputs["logit"])
    return {"probability": probabilities}


def _to_probabilities(outputs: Arrays) -> Arrays:
    logits = outputs["logit"]
    if logits.ndim == 2:
        probabilities = softmax(logits)
    else:
        second = sigmoid(logits)
        first = 1 - second
        probabilities = np.stack([first, second], axis=1)
    return {"probability": probabilities}
