"""The steps of the check: each is a function of a Bench that returns figures, or raises where something is not as it must be."""

from collections.abc import Callable
from typing import NamedTuple

from tests.gpu import programs, scoring
from tests.gpu.bench import Bench, Figures


class Step(NamedTuple):
    """One step.

    Attributes:
        run: what it does.
        seconds: its budget.
        shows: in words.
    """

    run: Callable[[Bench], Figures]
    seconds: int
    shows: str


STEPS: dict[str, Step] = {
    "placement": Step(scoring.check_placement, 20, "scores on the device are the CPU's"),
    "streams": Step(
        scoring.check_streams, 30, "pinned copies and streams of several threads, same bits"
    ),
    "dtypes": Step(scoring.check_dtypes, 60, "float32, bfloat16, float16: speed and agreement"),
    "compiled": Step(scoring.check_compiled, 90, "machine code for the device"),
    "out_of_memory": Step(
        scoring.check_out_of_memory, 45, "memory really runs out, and no row is lost"
    ),
    "onnxruntime": Step(scoring.check_onnxruntime, 40, "ONNX Runtime on the device"),
    "tensorrt": Step(scoring.check_tensorrt, 60, "TensorRT"),
    "model_alone": Step(
        scoring.check_model_alone, 45, "ResNet-50 and MiniLM beside the network alone"
    ),
    "program": Step(programs.check_program, 30, "the whole program on a table"),
    "tuning": Step(programs.check_tuning, 30, "tuning for the device, and scoring as it found"),
    "training": Step(programs.check_training, 30, "training on the device, in three precisions"),
}
