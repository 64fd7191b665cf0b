"""A loaded model as a callable on columns: `dict[str, ndarray] -> dict[str, ndarray]`. Knows no Beam.

Rows go through the network in mini-batches of one fixed size, the last one padded, so that a score does not depend on how many rows
happened to stand beside its row (a matrix product rounds differently for other shapes).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
import os
import threading
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures import build
from model_zoo.package import Package, smoke_rows
from model_zoo.weights import load_weights

Arrays = dict[str, np.ndarray]
Device = Literal["cpu", "cuda", "auto"]
DType = Literal["float32", "bfloat16"]

# bfloat16 keeps 8 bits of a number: outputs may differ from float32 by about 1 % through a few layers.
_BFLOAT16_RELATIVE_TOLERANCE = 5e-2


@dataclass
class Scorer:
    """A network on its device, ready to score.

    Attributes:
        batch_rows: rows of every mini-batch.
        threads: mini-batches that a call scores at the same time on a CPU, each on one torch thread: a wide matrix product that is
            spread over threads rounds differently, and scores must not depend on how many workers share the machine.
        placement: what computes: device, dtype, threads, versions; for the manifest.
    """

    network: nn.Module
    package: Package
    device: torch.device
    dtype: torch.dtype
    batch_rows: int
    threads: int
    placement: str

    def __post_init__(self) -> None:
        self._of_thread = threading.local()
        in_parallel = self.threads > 1 and self.device.type == "cpu"
        self._pool = ThreadPoolExecutor(self.threads, "scorer") if in_parallel else None

    def __call__(self, inputs: Arrays) -> Arrays:
        """Score rows.

        Args:
            inputs: one array (rows, *shape) per input of the card, in its dtype.

        Returns:
            One array (rows, *shape) per output of the card, in its dtype.

        Raises:
            ModelError: the network's outputs have other names, rows or shapes than the card says.
        """
        rows = _row_count(inputs)
        declared = self.package.card.outputs
        outputs = {name: torch.empty((rows, *t.shape), dtype=getattr(torch, t.dtype)) for name, t in declared.items()}
        with torch.inference_mode():
            tensors = {name: self._tensor(array) for name, array in inputs.items()}

        def score(start: int) -> None:
            stop = min(start + self.batch_rows, rows)
            self._use_one_torch_thread()
            with torch.inference_mode():
                given = self.network(**{name: self._padded(t[start:stop]) for name, t in tensors.items()})
                self._check(given)
                for name, values in outputs.items():
                    values[start:stop] = given[name][: stop - start]

        for _ in (self._pool.map if self._pool else map)(score, range(0, rows, self.batch_rows)):
            pass
        return {name: values.numpy() for name, values in outputs.items()}

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        """The array on the device, in the network's dtype; shares memory where it can."""
        usable = array.flags.writeable and min(array.strides, default=0) >= 0
        tensor = torch.from_numpy(array if usable else array.copy())
        return tensor.to(self.device, self.dtype if tensor.is_floating_point() else None)

    def _padded(self, rows: torch.Tensor) -> torch.Tensor:
        missing = self.batch_rows - len(rows)
        return torch.cat([rows, rows.new_zeros((missing, *rows.shape[1:]))]) if missing else rows

    def _check(self, given: Any) -> None:
        declared = self.package.card.outputs
        if not isinstance(given, dict) or given.keys() != declared.keys():
            names = sorted(given) if isinstance(given, dict) else type(given).__name__
            raise ModelError(f"the model gave {names}, but its package declares the outputs {sorted(declared)}")
        for name, tensor in given.items():
            expected = (self.batch_rows, *declared[name].shape)
            if tuple(tensor.shape) != expected:
                raise ModelError(f"the model's output {name} has shape {tuple(tensor.shape)} instead of {expected}")

    def _use_one_torch_thread(self) -> None:
        """Torch keeps this number per thread; within one mini-batch more threads would sum in another order."""
        if not getattr(self._of_thread, "is_set", False):
            torch.set_num_threads(1)
            self._of_thread.is_set = True


def load_scorer(package: Package, device: Device, dtype: DType, batch_rows: int, threads: int) -> Scorer:
    """Build the network, load its weights, and prove on the smoke batch that it scores as it did when it was packed.

    Raises:
        ModelError: no such device, weights that do not fit, or a smoke batch that comes out differently.
    """
    where = resolve_device(device)
    torch_dtype = getattr(torch, dtype)
    network = build(package.card.builder, package.card.parameters)
    load_weights(network, package)
    network.eval().to(where, torch_dtype)
    placement = f"{_device_name(where)} {dtype}, {threads} thread(s), torch {torch.__version__}"
    scorer = Scorer(network, package, where, torch_dtype, batch_rows, threads, placement)
    check_smoke(scorer)
    return scorer


def resolve_device(device: Device) -> torch.device:
    """The device that is meant: `cuda` without CUDA is an error, `auto` takes CUDA when it is there."""
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ModelError("model.device is cuda, but torch finds no CUDA device here; use a GPU worker, or device: cpu or auto")
    return torch.device("cuda")


def threads_for(workers: int) -> int:
    """Threads for each of `workers` workers of this machine, so that together they use every core once."""
    return max(1, len(os.sched_getaffinity(0)) // max(1, workers)) if hasattr(os, "sched_getaffinity") else 1


def check_smoke(scorer: Scorer) -> None:
    """Score the package's smoke inputs and compare with its smoke outputs.

    Raises:
        ModelError: an output differs by more than the tolerance; the message says by how much.
    """
    inputs, expected = smoke_arrays(scorer.package)
    try:
        actual = scorer(inputs)
    except (ModelError, RuntimeError, TypeError) as error:
        raise ModelError(f"{scorer.package.url}: the model fails on its own smoke batch: {error}") from error
    for name, values in expected.items():
        tolerance = scorer.package.card.smoke_tolerance
        if scorer.dtype == torch.bfloat16:
            tolerance = _BFLOAT16_RELATIVE_TOLERANCE * max(1.0, float(np.abs(values).max()))
        difference = float(np.abs(actual[name].astype(np.float64) - values).max())
        if not difference <= tolerance:
            raise ModelError(
                f"{scorer.package.url}: smoke output {name} differs by {difference:.3g}, more than {tolerance:.3g}, on "
                f"{scorer.placement}; the weights or the libraries are not those of the package (trained with {scorer.package.card.libraries})"
            )


def smoke_arrays(package: Package) -> tuple[Arrays, Arrays]:
    """Network inputs (`input.<name>`) and expected outputs (`output.<name>`) of the smoke batch, as arrays (rows, *shape)."""
    table = smoke_rows(package)
    card = package.card

    def arrays(prefix: str, tensors: Any) -> Arrays:
        result = {}
        for name, tensor in tensors.items():
            column = table.column(f"{prefix}.{name}").combine_chunks()
            flat = column.values if tensor.shape else column
            result[name] = flat.to_numpy(zero_copy_only=False).astype(tensor.dtype).reshape(table.num_rows, *tensor.shape)
        return result

    try:
        return arrays("input", card.inputs), arrays("output", card.outputs)
    except (KeyError, ValueError, AttributeError) as error:
        raise ModelError(f"{package.url}: the smoke batch does not fit the card: {error}; write the package again") from error


def _row_count(inputs: Arrays) -> int:
    counts = {len(array) for array in inputs.values()}
    if len(counts) != 1:
        raise ModelError(f"the model's inputs have {sorted(counts)} rows; they must have the same number")
    return counts.pop()


def _device_name(device: torch.device) -> str:
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else "cpu"
