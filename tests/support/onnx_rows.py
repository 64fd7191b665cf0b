"""A graph in ONNX Runtime with its guards, asked row by row: without a package, and so without a process that tries it first."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch

from model_zoo.engines.checked_graph import Graph
from model_zoo.engines.nan_guard import NanGuard
from model_zoo.engines.onnx_calls import make_graph
from model_zoo.engines.onnx_nan import Watched, watch_nan
from model_zoo.engines.onnx_session import make_session
from model_zoo.package.onnx_graph import list_kinds

# Takes rows by the names of inputs, and gives `logit` of them.
Compute: TypeAlias = Callable[..., np.ndarray]


def watched(model: Any) -> Watched:
    """Let a graph of ONNX tell of NaN as the engine does."""
    graph = Graph("m.onnx", model.SerializeToString(), {}, list_kinds(model))
    return watch_nan(graph)


def guarded(model: Any) -> Compute:
    """Load a graph of ONNX that gives `logit` as the engine does."""
    made = watched(model)
    session = make_session(made.graph.content, {}, made.graph.path)
    network = NanGuard(make_graph(session, {"logit": (1, 1)}, made.flags), made.limits)

    def compute(**rows: np.ndarray) -> np.ndarray:
        given = {name: torch.from_numpy(values) for name, values in rows.items()}
        found: np.ndarray = network(**given)["logit"].numpy()
        return found

    return compute
