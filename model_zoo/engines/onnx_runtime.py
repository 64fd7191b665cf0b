"""ONNX Runtime on a CPU: graphs that other libraries have written, and trees.

The graph is read and looked through as bytes, so no name in it opens a file. One session serves all
threads; each computes its mini-batch alone, as torch's do, so a score does not depend on how many
share the machine.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from configs.errors import ModelError
from model_zoo.engines.engine import Network, Sample
from model_zoo.engines.settings import Settings
from model_zoo.package.card import ModelCard
from model_zoo.package.onnx_graph import parse_graph
from model_zoo.package.packed_model import PackedModel

_PROVIDERS = ["CPUExecutionProvider"]
# Only what ends the process is written to stderr; errors are raised, and told once.
_FATAL = 4
# As ONNX Runtime says them, by the card's names.
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
}
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory")
# The library's messages may hold a whole graph.
_SHOWN_CHARACTERS = 300


class OnnxRuntimeEngine:
    """ONNX Runtime, which computes packages that hold a graph."""

    name = "onnxruntime"
    libraries = ("onnx", "onnxruntime")
    extra = "onnx"

    def reads(self, card: ModelCard) -> str | None:
        """Return the file of the graph."""
        return None if card.onnx is None else card.onnx.model

    def load(
        self, package: PackedModel, device: torch.device, threads: int, settings: Settings
    ) -> Network:
        """Load the graph, as `Engine.load`; every thread that calls it computes on its own."""
        if device.type != "cpu":
            raise ModelError(
                f"{package.url}: its ONNX graph is computed on a CPU here, and not on {device.type}; "
                "set model.device to cpu"
            )
        if not settings.is_reference:
            raise ModelError(
                f"{package.url}: an ONNX graph has its own types, and is not computed in {settings}; "
                "set model.dtype to float32, which leaves them as they are"
            )
        session = open_session(package)
        shapes = {}
        for name, tensor in package.card.outputs.items():
            shapes[name] = tensor.shape
        graph = make_graph(session, shapes)
        provider, *_ = session.get_providers()
        return Network(
            compute=graph,
            dtype=None,
            layout=torch.contiguous_format,
            provider=provider,
        )

    def describe_version(self) -> str:
        """Return ONNX Runtime's version."""
        return f"onnxruntime {version('onnxruntime')}"

    def is_out_of_memory(self, error: Exception) -> bool:
        """Tell whether fewer rows may fit."""
        if isinstance(error, MemoryError):
            return True
        message = str(error)
        return any(words in message for words in _OUT_OF_MEMORY)

    def list_settings(
        self, card: ModelCard, device: torch.device, batch_rows: int, without: Sequence[str]
    ) -> Iterator[Settings]:
        """Yield nothing: the graph says how it is computed."""
        return iter(())

    def list_refinements(
        self, card: ModelCard, fastest: Sequence[Settings], without: Sequence[str]
    ) -> Iterator[Settings]:
        """Yield nothing, as `list_settings`."""
        return iter(())

    def calibrate(self, package: PackedModel, settings: Settings, sample: Sample) -> Settings:
        """Return the settings as they are: nothing is measured."""
        return settings


@dataclass(frozen=True)
class Graph:
    """A session, called with tensors by name as a network is.

    Attributes:
        shapes: of a row of each output that is wanted, by name.
        ranks: dimensions of each input with the rows, by name.
    """

    session: Any
    shapes: Mapping[str, Sequence[int]]
    ranks: Mapping[str, int]

    def __call__(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the outputs of a mini-batch."""
        arrays = {}
        for name, tensor in inputs.items():
            arrays[name] = self._lay_out(name, tensor)
        names = list(self.shapes)
        found = self.session.run(names, arrays)
        outputs = {}
        for name, array in zip(names, found, strict=True):
            is_list_of_one = array.ndim == 2 and array.shape[1] == 1
            if is_list_of_one and not self.shapes[name]:
                array = array[:, 0]
            outputs[name] = torch.from_numpy(array)
        return outputs

    def _lay_out(self, name: str, tensor: torch.Tensor) -> np.ndarray:
        # ONNX Runtime reads numbers side by side, and inputs may be views of stacked columns.
        array = np.ascontiguousarray(tensor.numpy())
        # A column is (rows, 1) in many graphs, and (rows,) in a table.
        if array.ndim + 1 == self.ranks[name]:
            return array[:, np.newaxis]
        return array


def make_graph(session: Any, shapes: Mapping[str, Sequence[int]]) -> Graph:
    """Return a session as something that is called like a network.

    Args:
        session: as `make_session` returns it.
        shapes: of a row of each output that is wanted, by name.
    """
    ranks = {}
    for found in session.get_inputs():
        ranks[found.name] = len(found.shape)
    return Graph(session, shapes, ranks)


def open_session(package: PackedModel) -> Any:
    """Return ONNX Runtime's session of a package's graph.

    Raises:
        ModelError: the package holds no graph that is nothing but data, or another than its card
            says.
    """
    card = package.card
    files = card.onnx
    if files is None:
        raise ModelError(f"{package.url}: holds no ONNX graph; pack the model again with one")
    path = f"{package.url}/{files.model}"
    content = package.read_file(files.model)
    data = {}
    sizes = {}
    for name in files.data:
        data[name] = package.read_file(name)
        sizes[name] = len(data[name])
    try:
        parse_graph(content, sizes)
    except ValueError as error:
        raise ModelError(f"{path}: {error}; pack the model again with pipelines.package") from error
    session = make_session(content, data, path)
    _check_tensors(path, card, session)
    return session


def make_session(content: bytes, data: Mapping[str, bytes], path: str) -> Any:
    """Return ONNX Runtime's session of a graph that has been looked through.

    Args:
        content: of the graph's file.
        data: of the files with its other numbers, by name.
        path: of the graph, for messages.

    Raises:
        ModelError: ONNX Runtime does not take it.
    """
    # Half a second of start-up, for packages with a graph alone.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Threads that score call the session at the same time; threads of its own would share cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = _FATAL
    if data:
        names, values = list(data), list(data.values())
        sizes = [len(value) for value in values]
        options.add_external_initializers_from_files_in_memory(names, values, sizes)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=_PROVIDERS)
    except Exception as error:  # the library's classes come of its compiled module
        words = str(error).split()
        reason = " ".join(words)[:_SHOWN_CHARACTERS]
        raise ModelError(f"{path}: ONNX Runtime does not take it: {reason}") from error
    found = session.get_providers()
    # It takes another one in silence where it does not have what was asked for.
    if found != _PROVIDERS:
        raise ModelError(f"{path}: ONNX Runtime computes with {found} in place of {_PROVIDERS}")
    return session


def _check_tensors(path: str, card: ModelCard, session: Any) -> None:
    """Refuse a graph that takes or gives other things than the card says."""
    wanted = {}
    for name, tensor in card.inputs.items():
        wanted[name] = tensor.dtype
    taken = {}
    for found in session.get_inputs():
        # Of a type that cards do not have, its own word.
        taken[found.name] = _DTYPES.get(found.type, found.type)
    if taken != wanted:
        raise ModelError(f"{path}: the graph takes {taken}, and the card says {wanted}")
    given = {}
    for found in session.get_outputs():
        given[found.name] = _DTYPES.get(found.type)
    for name in card.outputs:
        if given.get(name) is None:
            raise ModelError(
                f"{path}: the graph gives no numbers {name!r}, which the card says; it gives {given}"
            )
