"""Networks as machine code for mini-batches of one shape, kept on this machine from run to run.

The machine code stands in a folder that nobody else may read or write, under a name that says of
which network, settings, shapes and kind of machine it is; another process finds it there. A call
with another number of rows, as when memory ran out, is computed by the network itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
import tempfile
import time
from typing import Any

import torch
from torch import nn

from configs.errors import ModelError
from configs.redaction import shown
from model_zoo.engines import torch_private
from model_zoo.engines.machine import cores
from model_zoo.engines.machine_code_trial import try_machine_code
from model_zoo.engines.torch_private import Inputs
from model_zoo.package.cache import private_folder

_FOLDER = "compiled-models"
# A compiler's message may hold the whole program that it did not take.
_SHOWN_CHARACTERS = 300
# Of the machine code that was loaded last.
_seconds = 0.0


@dataclass(frozen=True)
class Compiled:
    """Machine code beside the network that it was made of.

    Attributes:
        code: called as the network, with tensors as in `example`; it does not look whether it gets
            others.
        example: a mini-batch in the shapes and strides that the machine code takes.
    """

    code: Any
    network: nn.Module
    example: Inputs

    def __call__(self, **inputs: torch.Tensor) -> Any:
        """Return the outputs of a mini-batch."""
        for name, tensor in inputs.items():
            expected = self.example[name].shape
            if tensor.shape != expected:
                return self.network(**inputs)

        laid_out = {}
        for name, tensor in inputs.items():
            example = self.example[name]
            laid_out[name] = _lay_out(tensor, example)
        return self.code(**laid_out)


def compile_network(
    network: nn.Module,
    example: Inputs,
    identity: Mapping[str, Any],
) -> Compiled:
    """Return the network, compiled for mini-batches like `example`.

    Args:
        network: in eval mode.
        example: one tensor (batch_rows, *shape) per input, on the device.
        identity: what else decides the machine code: model, settings, kind of machine.

    Raises:
        ModelError: it cannot be compiled, for want of a C++ compiler for example.
    """
    global _seconds
    first = next(iter(example.values()))
    device = first.device
    path = _name_file(example, identity)
    try:
        if not path.exists():
            _compile(network, example, path)
        _seconds = _read_seconds(path)
        # On a CPU none was seen that ends its process; and a process of its own takes seconds.
        if device.type != "cpu":
            try_machine_code(path, device)
        # As many as cores: each thread that scores has a runner of its own, and none waits.
        code = torch_private.load_machine_code(path, cores(), device)
    except ModelError:
        raise
    except Exception as error:  # inductor and the C++ compiler have error classes of their own
        raise ModelError(
            f"the network cannot be compiled here: {type(error).__name__}: "
            f"{shown(error)[:_SHOWN_CHARACTERS]}; "
            "install a C++ compiler, or tune again with --without compile"
        ) from error
    return Compiled(code, network, example)


def find_compile_seconds() -> float:
    """Return how long the network took to compile that was loaded last, whenever that was; 0 if not known.

    Another machine has to do it again, though here the machine code may have been found.
    """
    return _seconds


def _read_seconds(path: Path) -> float:
    try:
        return float(_place_seconds(path).read_text())
    # None of machine code that an earlier version made.
    except (OSError, ValueError):
        return 0.0


def _place_seconds(path: Path) -> Path:
    """Return where it stands how long it took to make machine code."""
    return path.with_suffix(".seconds")


def _name_file(example: Inputs, identity: Mapping[str, Any]) -> Path:
    """Return where the machine code stands, or will."""
    shapes = {}
    for name, tensor in example.items():
        dtype = str(tensor.dtype)
        shape = list(tensor.shape)
        strides = list(tensor.stride())
        shapes[name] = [dtype, shape, strides]
    known = [dict(identity), shapes]
    text = json.dumps(known, sort_keys=True)
    digest = hashlib.sha256(text.encode())

    folder = private_folder(_FOLDER)
    # Machine code is run: what others could have written is never loaded.
    if folder is None:
        raise ModelError(
            f"compiled models cannot be kept: {_FOLDER}-<user> in the temporary folder "
            "is not this user's alone; remove it"
        )
    return folder / f"{digest.hexdigest()}.pt2"


def _compile(network: nn.Module, example: Inputs, path: Path) -> None:
    """Write the machine code under its name in one move."""
    # Two workers that start at once both make it, and either is good.
    number, name = tempfile.mkstemp(suffix=".pt2", dir=path.parent)
    # torch opens the file by its name.
    os.close(number)
    temporary = Path(name)
    began = time.perf_counter()
    try:
        torch_private.write_machine_code(network, example, temporary)
        seconds = time.perf_counter() - began
        # First, as nobody looks for it without the machine code.
        _place_seconds(path).write_text(f"{seconds:.3f}")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _lay_out(tensor: torch.Tensor, example: torch.Tensor) -> torch.Tensor:
    """Return a tensor with the strides of the example."""
    if tensor.stride() == example.stride():
        return tensor
    laid_out = torch.empty_like(example)
    return laid_out.copy_(tensor)
