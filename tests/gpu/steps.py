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
    "placement": Step(scoring.check_placement, 15, "scores on the device are the CPU's"),
    "streams": Step(
        scoring.check_streams, 15, "pinned copies and streams of several threads, same bits"
    ),
    "dtypes": Step(scoring.check_dtypes, 40, "float32, bfloat16, float16: speed and agreement"),
    "compiled": Step(scoring.check_compiled, 80, "machine code for the device"),
    "out_of_memory": Step(
        scoring.check_out_of_memory, 40, "memory really runs out, and no row is lost"
    ),
    "onnxruntime": Step(scoring.check_onnxruntime, 55, "ONNX Runtime on the device"),
    "tensorrt": Step(scoring.check_tensorrt, 60, "TensorRT"),
    "model_alone": Step(
        scoring.check_model_alone, 50, "ResNet-50 and MiniLM beside the network alone"
    ),
    "program": Step(programs.check_program, 45, "the whole program on a table"),
    "tuning": Step(programs.check_tuning, 45, "tuning for the device, and scoring as it found"),
    "training": Step(programs.check_training, 25, "training on the device, in three precisions"),
}
