"""A `.keras` file -> the file itself, and an ONNX graph of it where torch's exporter takes it.

A model that ends with a sigmoid or a softmax is packed without it: a job makes probabilities of logits, and
with them classes and labels.
"""

from collections.abc import Mapping
import os
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from configs.errors import JobError, ModelError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.engines.child.keras_model import KerasModel, open_model
from model_zoo.steps.table import AnyStep
from pipelines.packing.converters.converted import Activation, Converted, OwnForm
from pipelines.packing.converters.torch_graph import write_graph
from pipelines.packing.libraries import import_library
from pipelines.packing.networks.computed import find_reason
from storage import files

_BACKEND = "KERAS_BACKEND"
_DTYPES = frozenset({"float32", "float64", "float16", "int32", "int64", "bool", "uint8", "int8"})
_EXAMPLE_ROWS = 3
# Of a length that is free.
_EXAMPLE_LENGTH = 5
_FREE = torch.export.Dim.DYNAMIC


def convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    """Return the model in a file.

    Args:
        job: names the file.
        sample: not looked at.

    Raises:
        JobError: there is no such file, or Keras runs on something else than torch here.
        ModelError: it is no `.keras` file, or one that does more than compute.
    """
    # Keras looks once, when it is first imported.
    backend = os.environ.setdefault(_BACKEND, "torch")
    if backend != "torch":
        raise JobError(f"{_BACKEND}={backend}: a package is scored on torch; set {_BACKEND}=torch")
    keras = import_library("keras", "keras")
    url = str(job.keras)
    path = files.to_absolute(url)
    content = files.read(path)
    if content is None:
        raise JobError(f"keras {url}: there is no such file")
    opened = _open(content, job.activation, url)
    dtypes = _describe_inputs(opened, url)
    graph, notes = _export(opened, dtypes)
    model = keras.saving.load_model(path, compile=False)
    if opened.activation != "none":
        model.layers[-1].activation = keras.activations.linear
        notes = (*notes, f"its last {opened.activation} is the job's, which makes labels with it")
    own = OwnForm("keras", content, is_always_kept=True)
    activation: Activation | None = None
    # One by one, as mypy tells the words apart.
    if opened.activation == "sigmoid":
        activation = "sigmoid"
    elif opened.activation == "softmax":
        activation = "softmax"
    return Converted(
        graph=graph,
        dtypes=dtypes,
        native=lambda rows, inputs: _predict(keras, model, opened, inputs),
        library="Keras",
        own=own,
        lengths=_find_lengths(opened),
        activation=activation,
        notes=notes,
    )


def _open(content: bytes, activation: str | None, url: str) -> KerasModel:
    try:
        return open_model(content, activation)
    except Exception as error:  # of a file that may be anything
        reason = find_reason(error)
        # Ours are sentences already.
        if isinstance(error, ValueError):
            reason = str(error)
        raise ModelError(f"keras {url}: cannot be packed: {reason}") from error


def _describe_inputs(opened: KerasModel, url: str) -> Mapping[str, str]:
    """Return the dtype of each input.

    Raises:
        JobError: inputs that a package cannot give; all of them.
    """
    dtypes = {}
    problems = []
    for name, tensor in zip(opened.inputs, opened.model.inputs, strict=True):
        if tensor.dtype not in _DTYPES:
            problems.append(f"input {name!r} takes {tensor.dtype}, and a network takes numbers")
        rows = tensor.shape[0]
        if rows is not None:
            problems.append(f"input {name!r} takes exactly {rows} rows")
        dtypes[name] = tensor.dtype
    if problems:
        all_of_them = "; ".join(problems)
        raise JobError(f"keras {url}: {all_of_them}")
    return dtypes


def _find_lengths(opened: KerasModel) -> dict[str, int]:
    """Return how many places inputs have behind the rows, by name, of those that say it."""
    lengths = {}
    for name, tensor in zip(opened.inputs, opened.model.inputs, strict=True):
        row_shape = tensor.shape[1:]
        if row_shape and row_shape[0] is not None:
            lengths[name] = int(row_shape[0])
    return lengths


def _predict(
    keras: Any,
    model: Any,
    opened: KerasModel,
    inputs: Arrays,
) -> Arrays:
    """Return what Keras gives, called as its users call it."""
    given: Any = [inputs[name] for name in opened.inputs]
    # A model of one input takes it as it is.
    if len(given) == 1:
        (given,) = given
    computed = model.predict(given, verbose=0)
    flat = keras.tree.flatten(computed)
    arrays = map(np.asarray, flat)
    return dict(zip(opened.outputs, arrays, strict=True))


class _Called(nn.Module):
    """A model of Keras as exporters want it: tensors in one order in and out."""

    def __init__(self, opened: KerasModel) -> None:
        super().__init__()
        self.model = opened.model
        self._opened = opened

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Take the inputs in their order, and give the outputs in theirs."""
        computed = self._opened.compute(tensors)
        return tuple(computed.values())


def _export(
    opened: KerasModel,
    dtypes: Mapping[str, str],
) -> tuple[Any, tuple[str, ...]]:
    """Return the model as a graph, and notes; no graph where the exporter does not take it."""
    tensors = []
    axes = []
    for tensor, dtype in zip(opened.model.inputs, dtypes.values(), strict=True):
        free = {0: _FREE}
        shape = [_EXAMPLE_ROWS]
        row_shape = tensor.shape[1:]
        for place, length in enumerate(row_shape, start=1):
            if length is None:
                free[place] = _FREE
            shape.append(length or _EXAMPLE_LENGTH)
        torch_dtype = getattr(torch, dtype)
        example = torch.zeros(shape, dtype=torch_dtype)
        tensors.append(example)
        axes.append(free)
    names = list(opened.inputs)
    try:
        import_library("onnxscript", "onnx")
        module = _Called(opened).eval()
        with torch.inference_mode():
            module(*tensors)
        graph = write_graph(module, tensors, axes, names, opened.outputs)
    except Exception as error:  # noqa: BLE001 - torch's own, of many classes
        return None, (f"no ONNX graph: {find_reason(error)}",)
    return graph, ("an ONNX graph beside the file, which engines of graphs compute",)
