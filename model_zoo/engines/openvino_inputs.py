"""Keep rows whose inputs are not finite from a score by OpenVINO.

It stands beside `openvino_guards.py`, which a process imports that has no torch.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from model_zoo.engines.nan_guard import LARGEST_SQUARE, Limit, NanGuard
from model_zoo.engines.openvino_nan import find_infinite_inputs, find_nan_inputs, loses_nan


def choose_guard(model: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what keeps rows of a model that are not finite from a score: of NaN a ReLU makes 0, in float32, too."""
    largest = LARGEST_SQUARE if loses_nan(model) else torch.inf
    asked_for_nan = find_nan_inputs(model)
    asked_for_infinity = find_infinite_inputs(model)
    limits = {}
    # Without those of which the graph makes nothing: OpenVINO has left them out.
    for port in model.inputs:
        name = port.any_name
        # What is infinite is then the graph's own matter, and what is NaN is not.
        own = None if name in asked_for_infinity else largest
        limits[name] = Limit(own, takes_nan=name in asked_for_nan)
    return partial(NanGuard, limits=limits)
