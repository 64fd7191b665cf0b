"""A graph in OpenVINO with its guards, asked row by row: without a package, and so without a process that tries it first."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch

from model_zoo.engines.openvino_graph import OpenVinoGraph
from model_zoo.engines.openvino_guards import guard_rows
from model_zoo.engines.openvino_inputs import choose_guard
from model_zoo.engines.openvino_library import import_openvino
from model_zoo.engines.openvino_refusals import refuse_operators
from model_zoo.package.card import Tensor

# Takes rows of x, and of other inputs by name, and gives `logit` of them.
Compute: TypeAlias = Callable[..., np.ndarray]


def refuse(model: Any) -> None:
    """Look a graph of ONNX through as the engine does."""
    core = import_openvino().Core()
    refuse_operators("m.onnx", core.read_model(model.SerializeToString()))


def guarded(model: Any, shape: tuple[int, ...] = (3,)) -> Compute:
    """Load a graph of ONNX that takes x and gives `logit` as the engine does."""
    openvino = import_openvino()
    core = openvino.Core()
    read = core.read_model(model.SerializeToString())
    refuse_operators("m.onnx", read)
    protect = choose_guard(read)
    flags = guard_rows(openvino.opset13, read)

    def compile_model(changed: Any) -> Any:
        return core.compile_model(changed, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    outputs = {"logit": Tensor(dtype="float32", shape=shape)}
    graph = OpenVinoGraph(read, compile_model, outputs, has_free_shapes=False, flags=flags)
    network = protect(graph)

    def compute(x: np.ndarray, **others: np.ndarray) -> np.ndarray:
        tensors = {name: torch.from_numpy(rows) for name, rows in others.items()}
        given: np.ndarray = network(x=torch.from_numpy(x), **tensors)["logit"].numpy()
        return given

    return compute
