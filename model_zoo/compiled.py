"""Networks as machine code for mini-batches of one shape, by torch.export and AOTInductor, kept on this machine from run to run.

What was made stands in a folder that nobody else may read or write, under a name that says of which network, settings, shapes and
kind of machine it is; another process finds it there. A call with another number of rows, as when memory ran out, is computed by
the network itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
import tempfile
from typing import Any

import torch
from torch import nn

from configs.errors import ModelError
from configs.messages import shown
from model_zoo.machine import cores
from model_zoo.package_cache import private_folder

_NAME = "compiled-models"
Inputs = Mapping[str, torch.Tensor]


@dataclass
class Compiled:
    """Machine code beside the network that it was made of.

    Attributes:
        example: a mini-batch in the shapes and strides that the machine code takes; it does not look whether it gets others.
    """

    code: Any
    network: nn.Module
    example: Inputs

    def __call__(self, **inputs: torch.Tensor) -> Any:
        """Outputs of a mini-batch."""
        if any(tensor.shape != self.example[name].shape for name, tensor in inputs.items()):
            return self.network(**inputs)
        return self.code(**{name: _laid_out_as(self.example[name], tensor) for name, tensor in inputs.items()})


def compiled(network: nn.Module, example: Inputs, identity: Mapping[str, Any]) -> Compiled:
    """The network, compiled for mini-batches like `example`.

    Args:
        identity: what else decides the machine code: model, settings, kind of machine.

    Raises:
        ModelError: it cannot be compiled, for want of a C++ compiler for example.
    """
    device = next(iter(example.values())).device
    shapes = {name: [str(tensor.dtype), list(tensor.shape), list(tensor.stride())] for name, tensor in example.items()}
    key = hashlib.sha256(json.dumps([dict(identity), shapes], sort_keys=True).encode()).hexdigest()
    folder = private_folder(_NAME)
    if folder is None:
        raise ModelError(
            f"compiled models cannot be kept: {_NAME}-<user> in the temporary folder is not this user's alone; remove it"
        )
    path = folder / f"{key}.pt2"
    from torch._inductor.package.package import load_package

    try:
        if not path.exists():
            _compile(network, example, path)
        code = load_package(str(path), num_runners=cores(), device_index=-1 if device.index is None else device.index)
    except ModelError:
        raise
    except Exception as error:  # inductor and the C++ compiler have error classes of their own
        raise ModelError(
            f"the network cannot be compiled here: {type(error).__name__}: {shown(error)[:300]}; install a C++ compiler, or tune again "
            "with --without compile"
        ) from error
    return Compiled(code, network, example)


def _laid_out_as(example: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.stride() == example.stride() else torch.empty_like(example).copy_(tensor)


def _compile(network: nn.Module, example: Inputs, path: Path) -> None:
    """Write the machine code under its name in one move: two workers that start at once both make it, and either is good."""
    number, temporary = tempfile.mkstemp(suffix=".pt2", dir=path.parent)
    os.close(number)
    try:
        with torch.no_grad():
            exported = torch.export.export(network, (), dict(example))
            # One thread, as everywhere: a sum that is spread over threads rounds differently.
            options = {"freezing": True, "cpp.threads": 1}
            torch._inductor.aoti_compile_and_package(exported, package_path=temporary, inductor_configs=options)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
