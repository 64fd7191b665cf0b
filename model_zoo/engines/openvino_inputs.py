"""Keep rows whose inputs are not finite from a score by OpenVINO.

It stands beside `openvino_guards.py`, which a process imports that has no torch.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from model_zoo.engines.nan_guard import LARGEST_SQUARE, NanGuard
from model_zoo.engines.openvino_nan import knows_infinity, knows_nan, loses_nan


def choose_guard(model: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what keeps rows of a model that are not finite from a score: of NaN a ReLU makes 0, in float32, too."""
    largest: float | None = torch.inf
    # What is infinite is then the graph's own matter, and what is NaN is not.
    if knows_infinity(model):
        largest = None
    elif loses_nan(model):
        largest = LARGEST_SQUARE
    return partial(NanGuard, largest=largest, takes_nan=knows_nan(model))
