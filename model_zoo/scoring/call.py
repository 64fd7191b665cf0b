"""The state of one call of the model while it runs."""

from dataclasses import dataclass, field

import torch

from model_zoo.scoring.listener import Listener, find_listener
from model_zoo.scoring.stopwatch import Stopwatch

Tensors = dict[str, torch.Tensor]


@dataclass
class Call:
    """Rows in, rows out, and how it went so far; its mini-batches may run at the same time.

    It needs no lock: threads write other rows, other keys, or the same flag.

    Attributes:
        rows: number of rows in the call.
        batch_rows: rows of each of its mini-batches.
        inputs, outputs: tensors (rows, *shape); outputs are filled as mini-batches pass.
        rejected: why a row has no scores, by its position.
        passed: whether any mini-batch went through.
        began: when the mini-batch that a thread computes began, by thread; seconds of the
            monotonic clock.
        copying: time spent on getting rows to the device and outputs back.
        tell: told of the rows that are scored, or rejected, as mini-batches pass.
    """

    rows: int
    batch_rows: int
    inputs: Tensors = field(default_factory=dict)
    outputs: Tensors = field(default_factory=dict)
    rejected: dict[int, Exception] = field(default_factory=dict)
    passed: bool = False
    began: dict[int, float] = field(default_factory=dict)
    copying: Stopwatch = field(default_factory=Stopwatch)
    tell: Listener = field(default_factory=find_listener)
