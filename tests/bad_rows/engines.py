"""Engines whose networks fail on purpose: the real engine loads a real package, and what it computes is spoilt."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
import pytest
import torch

from model_zoo.engines.engine import Network, make_engine
from tests.support.builders import tiny_network, tiny_package
from tests.support.graphs import graph_of

# Those that compute the same package, which holds a network and its graph.
GRAPH_ENGINES = ("onnxruntime", "openvino")
ENGINES = ("torch", *GRAPH_ENGINES)
on_each_engine = pytest.mark.parametrize("engine", ENGINES, indirect=True)
# Called with the mini-batch and what the network makes of it; what it returns is the answer.
Spoil: TypeAlias = Callable[[torch.Tensor, dict[str, torch.Tensor]], Any]
Install: TypeAlias = Callable[[Spoil], list[int]]
# Four TiB of numbers: no machine of ours has them, and OpenVINO has another error for yet more.
_TOO_MANY = 1 << 40


@dataclass(frozen=True)
class SpoiltNetwork:
    """What an engine computes, whose answers pass through `spoil`; those of the smoke batch do not.

    Attributes:
        compute: as the engine loaded it.
        calls: rows of each call, of all threads.
    """

    compute: Callable[..., Any]
    spoil: Spoil
    calls: list[int]

    def __call__(self, **inputs: torch.Tensor) -> Any:
        answer = self.compute(**inputs)
        x = inputs["x"]
        first = x[:, 0]
        # Only the rows of these tests have whole numbers there.
        if not torch.equal(first, first.round()):
            return answer
        self.calls.append(len(x))
        return self.spoil(x, answer)


def spoil_engine(patch: pytest.MonkeyPatch, name: str, spoil: Spoil) -> list[int]:
    """Let an engine load networks whose answers are spoilt.

    Args:
        patch: undoes it.
        name: of the engine.
        spoil: what becomes of each mini-batch.

    Returns:
        The rows of each call, in every worker thread.
    """
    engine = type(make_engine(name))
    calls: list[int] = []
    # Of an engine that was spoilt before, the real one.
    load = getattr(engine.load, "real", engine.load)

    def load_spoilt(self: Any, *given: Any, **named: Any) -> Network:
        network = load(self, *given, **named)
        spoilt = SpoiltNetwork(network.compute, spoil, calls)
        return replace(network, compute=spoilt)

    load_spoilt.real = load  # type: ignore[attr-defined]
    patch.setattr(engine, "load", load_spoilt)
    return calls


def tiny_graph(network: torch.nn.Module) -> bytes:
    """Return the graph of `tiny_network`, written by hand: an exporter takes seconds."""
    from onnx import helper

    # Of a graph's tensors the names are free: those of the network.
    first, first_bias, second, second_bias = network.state_dict()
    arrays = {"column": np.array([1])}
    for name, tensor in network.state_dict().items():
        arrays[name] = tensor.numpy()
    nodes = [
        helper.make_node("Gemm", ["x", first, first_bias], ["sums"], transB=1),
        helper.make_node("Relu", ["sums"], ["kept"]),
        helper.make_node("Gemm", ["kept", second, second_bias], ["logits"], transB=1),
        # A score is a number, and not a list of one.
        helper.make_node("Squeeze", ["logits", "column"], ["logit"]),
    ]
    content: bytes = graph_of(nodes, arrays).SerializeToString()
    return content


def write_package_of_both(folder: Path, columns: list[dict[str, str]]) -> str:
    """Write a package of `tiny_network` and of its graph, and return its URL.

    Args:
        folder: where it goes.
        columns: that it reads, as a card says them.
    """
    network = tiny_network()
    contents = {"model.onnx": tiny_graph(network)}
    return tiny_package(
        folder,
        network=network,
        contents=contents,
        onnx={"model": "model.onnx"},
        columns=columns,
    )


def run_out_of_memory(engine: str) -> NoReturn:
    """Ask an engine's library for more memory than there can be, and raise what it raises."""
    if engine == "torch":
        torch.empty(_TOO_MANY)
    elif engine == "onnxruntime":
        _ask_onnxruntime()
    else:
        _ask_openvino()
    raise AssertionError(f"{engine} had room for them")


def _make_large_graph() -> bytes:
    """Return a graph that repeats a number too many times."""
    from onnx import helper

    side = 1 << 20
    shape = np.array([side, _TOO_MANY // side])
    arrays = {"zero": np.array([0]), "shape": shape}
    nodes = [
        helper.make_node("Gather", ["x", "zero"], ["one"], axis=1),
        helper.make_node("Expand", ["one", "shape"], ["large"]),
        helper.make_node("ReduceSum", ["large"], ["logit"]),
    ]
    content: bytes = graph_of(nodes, arrays).SerializeToString()
    return content


def _ask_onnxruntime() -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Its own log says the same again, on stderr.
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(_make_large_graph(), options)
    session.run(None, {"x": np.ones((1, 3), np.float32)})


def _ask_openvino() -> None:
    from model_zoo.engines.openvino_library import import_openvino

    core = import_openvino().Core()
    model = core.read_model(_make_large_graph())
    core.compile_model(model, "CPU")
