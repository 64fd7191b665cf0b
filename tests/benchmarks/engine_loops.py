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


def tuned_engine(package: Path) -> str:
    """The engine that tuning chose for the package; torch where nothing was tuned."""
    engine: str = _settings(package).get("engine", "torch")
    return engine


def load_tuned(package: Path) -> Compute:
    """A function of inputs by name that returns the only output, which threads may call at once."""
    settings = _settings(package)
    graph = package / "model.onnx"
    if settings.get("graph"):
        graph = package.parent / settings["graph"]["url"]
    if settings["engine"] == "onnxruntime":
        return _load_onnxruntime(graph)
    return _load_openvino(graph, settings["dtype"])


def _settings(package: Path) -> dict[str, Any]:
    # Beside the package, where the workload has it written.
    report = package.parent / REPORT
    if not report.exists():
        return {}
    settings: dict[str, Any] = json.loads(report.read_text())["settings"]
    return settings


def _load_onnxruntime(graph: Path) -> Compute:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def compute(inputs: Arrays) -> np.ndarray:
        (output,) = session.run(None, inputs)
        return np.asarray(output)

    return compute


def _load_openvino(graph: Path, dtype: str) -> Compute:
    import openvino

    precision = {"bfloat16": "bf16"}.get(dtype, "f32")
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": THREADS,
        "INFERENCE_NUM_THREADS": THREADS,
    }
    compiled = openvino.Core().compile_model(str(graph), "CPU", options)
    own = threading.local()

    def compute(inputs: Arrays) -> np.ndarray:
        # A request is one thread's.
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        outputs = own.request.infer(inputs, share_inputs=True)
        return np.array(outputs[0])

    return compute
