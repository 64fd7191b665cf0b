"""A graph of ONNX, in the child: OpenVINO reads and compiles it and computes a few rows, before a worker does."""

from collections.abc import Mapping
from typing import Any

from model_zoo.engines.child.graph_rows import add_columns
from model_zoo.engines.child.messages import Arrays, MakeCall
from model_zoo.engines.openvino_guards import guard_rows
from model_zoo.engines.openvino_library import import_openvino, is_out_of_memory, shorten


def load(content: bytes, card: Mapping[str, Any]) -> MakeCall:
    """Return what makes a call for each thread.

    Args:
        content: of the graph, which has been looked through.
        card: `properties`, what OpenVINO is told.

    Raises:
        ValueError: OpenVINO does not take the graph.
    """
    openvino = import_openvino()
    core = openvino.Core()
    try:
        model = core.read_model(content)
    except Exception as error:
        # Trees and linear models, for example, whose operators are not among its own.
        raise ValueError(
            f"OpenVINO does not take it: {shorten(error)}; set model.engine to onnxruntime, which may"
        ) from error
    guard_rows(openvino.opset13, model)
    ranks = {port.any_name: len(port.partial_shape) for port in model.inputs}
    properties = dict(card["properties"])

    def compute(inputs: Arrays) -> Arrays:
        arrays = add_columns(inputs, ranks)
        try:
            # As the worker does it.
            model.reshape({name: array.shape for name, array in arrays.items()})
            compiled = core.compile_model(model, "CPU", properties)
            compiled.infer_new_request(arrays)
        except Exception as error:
            kind = MemoryError if is_out_of_memory(error) else ValueError
            raise kind(shorten(error)) from error
        # That it lives to say this is the answer.
        return {}

    return lambda: compute
