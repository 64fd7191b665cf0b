"""A loaded model as a callable on columns: `dict[str, ndarray] -> dict[str, ndarray]`. Knows no Beam."""

from dataclasses import dataclass, replace
import os
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from configs.errors import ModelError
from configs.messages import shown
from model_zoo.mini_batches import FailedRows, MiniBatches
from model_zoo.package import Package, smoke_rows
from model_zoo.weights import load_network

Arrays = dict[str, np.ndarray]
Device = Literal["cpu", "cuda", "auto"]
DType = Literal["float32", "bfloat16"]

# Longer than any mini-batch takes that is not stuck.
TIMEOUT_SECONDS = 600.0
# bfloat16 keeps 8 bits of a number: outputs may differ from float32 by about 1 % through a few layers.
_BFLOAT16_RELATIVE_TOLERANCE = 5e-2


@dataclass
class Scorer:
    """A network on its device, ready to score.

    Attributes:
        batch_rows, threads, timeout_seconds: as `slots`, `threads`, `timeout_seconds` of MiniBatches.
        computed_by: device, dtype, threads and versions.
    """

    network: nn.Module
    package: Package
    device: torch.device
    dtype: torch.dtype
    batch_rows: int
    threads: int
    computed_by: str
    timeout_seconds: float = TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        outputs = self.package.card.outputs
        self._mini_batches = MiniBatches(
            self.network, outputs, self.device, self.dtype, self.batch_rows, self.threads, self.timeout_seconds
        )

    def __call__(self, inputs: Arrays) -> Arrays:
        """Score rows: `inputs` and result are one array (rows, *shape) per input and output of the card; raises as MiniBatches does."""
        return self._mini_batches(inputs)

    @property
    def placement(self) -> str:
        """What computes, for the manifest; mini-batches that had to shrink may have changed the last bits of scores."""
        slots = self._mini_batches.slots_that_fit
        shrunk = (
            "" if slots == self.batch_rows else f", mini-batches of {slots} instead of {self.batch_rows} rows for want of memory"
        )
        return f"{self.computed_by}{shrunk}"


def load_scorer(
    package: Package, device: Device, dtype: DType, batch_rows: int, threads: int, timeout_seconds: float = TIMEOUT_SECONDS
) -> Scorer:
    """Build the network, load its weights, and prove on the smoke batch that it scores as it did when it was packed.

    Raises:
        ModelError: no such device, weights that do not fit, or a smoke batch that comes out differently.
    """
    where = resolve_device(device)
    torch_dtype = getattr(torch, dtype)
    network = load_network(package)
    network.eval().to(where, torch_dtype)
    computed_by = f"{_device_name(where)} {dtype}, {threads} thread(s), torch {torch.__version__}"
    scorer = Scorer(network, package, where, torch_dtype, batch_rows, threads, computed_by, timeout_seconds)
    check_smoke(scorer)
    return replace(scorer)  # a new one: that the model takes the smoke batch says nothing about the rows of the run


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
    except FailedRows as failed:
        reason = next(iter(failed.reasons.values()))
        raise ModelError(f"{scorer.package.url}: the model fails on its own smoke batch: {shown(reason)}") from reason
    except ModelError as error:
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
        raise ModelError(
            f"{package.url}: the smoke batch does not fit the card: {shown(error)}; write the package again"
        ) from error


def _device_name(device: torch.device) -> str:
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else "cpu"
