"""The network as the tuning report has it computed, for loops without Beam: the engine, its precision, its int8 graph."""

from collections.abc import Callable
import json
from pathlib import Path
import threading
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Compute = Callable[[Arrays], np.ndarray]
REPORT = "tuning_report.json"
# Loops have two threads, one for each core.
THREADS = 2


def is_tuned(package: Path) -> bool:
    """Tell whether tuning has chosen what computes the package."""
    return _report(package).exists()


def load_tuned(package: Path) -> Compute:
    """A function of inputs by name that returns the only output, which threads may call at once."""
    path = _report(package)
    settings: dict[str, Any] = json.loads(path.read_text())["settings"]
    # Reports do not name the engine that there always was.
    engine = settings.get("engine", "torch")
    if engine == "torch":
        return _load_torch(package, path)
    graph = package / "model.onnx"
    if settings.get("graph"):
        graph = package.parent / settings["graph"]["url"]
    if engine == "onnxruntime":
        return _load_onnxruntime(graph)
    return _load_openvino(graph, settings["dtype"])


def _report(package: Path) -> Path:
    # Beside the package, where the workload has it written.
    return package.parent / REPORT


def _load_torch(package: Path, report: Path) -> Compute:
    """The package's own network in the precision of the report, as no library has it in that one."""
    import torch

    from model_zoo.engines.torch_engine import TorchEngine
    from model_zoo.engines.tuning_report import parse_tuning_report
    from model_zoo.package.package import read_package

    torch.set_num_threads(1)
    settings = parse_tuning_report(report.read_bytes(), str(report)).settings
    cpu = torch.device("cpu")
    network = TorchEngine().load(read_package(str(package)), cpu, THREADS, settings)

    def take(array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if tensor.is_floating_point():
            tensor = tensor.to(network.dtype)
        if tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=network.layout)
        return tensor

    @torch.inference_mode()
    def compute(inputs: Arrays) -> np.ndarray:
        tensors = {name: take(array) for name, array in inputs.items()}
        (output,) = network.compute(**tensors).values()
        return np.asarray(output.float().numpy())

    return compute


def _lay_out(inputs: Arrays) -> Arrays:
    # Images come as they were decoded, channels last.
    return {name: np.ascontiguousarray(array) for name, array in inputs.items()}


def _load_onnxruntime(graph: Path) -> Compute:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def compute(inputs: Arrays) -> np.ndarray:
        (output,) = session.run(None, _lay_out(inputs))
        return np.asarray(output)

    return compute


def _load_openvino(graph: Path, dtype: str) -> Compute:
    import openvino

    from model_zoo.engines.openvino_engine import has_bfloat16
    from model_zoo.engines.openvino_int8 import find_group

    group = find_group(graph.read_bytes()) if dtype == "int8" else 0
    is_bfloat16 = dtype == "bfloat16" or (group and has_bfloat16())
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if is_bfloat16 else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
        "NUM_STREAMS": THREADS,
        "INFERENCE_NUM_THREADS": THREADS,
    }
    compiled = openvino.Core().compile_model(str(graph), "CPU", options)
    own = threading.local()

    def compute(inputs: Arrays) -> np.ndarray:
        # A request is one thread's.
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        outputs = own.request.infer(_lay_out(inputs), share_inputs=True)
        return np.array(outputs[0])

    return compute
