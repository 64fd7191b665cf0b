"""A loaded model as a callable on columns: `dict[str, ndarray] -> dict[str, ndarray]`. Knows no Beam."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from configs.errors import ModelError
from configs.messages import shown
from model_zoo.acceleration import accelerate, compute_float32_in_full, input_dtype, memory_format
from model_zoo.certificate import refuse_other_machine
from model_zoo.length_sorted import score_by_length
from model_zoo.machine import cores, device_name, machine_kind
from model_zoo.mini_batches import FailedRows, MiniBatches, Network
from model_zoo.package import Package, smoke_rows
from model_zoo.replicas import Replicas
from model_zoo.settings import Device, Settings
from model_zoo.weights import load_network

Arrays = dict[str, np.ndarray]

# Longer than any mini-batch takes that is not stuck.
TIMEOUT_SECONDS = 600.0
# How far the smoke batch may be off, relative to its largest value, with settings other than float32, eager. Another layout or compiled
# code adds in another order, 16 bits keep about 1 % through a few layers, 8 bits less; what the rows of a job may be off by is measured
# by pipelines.tune.
_TOLERANCES = {"float32": 1e-3, "bfloat16": 5e-2, "float16": 5e-2, "int8": 0.5, "int8_linear": 0.5}


@dataclass
class Scorer:
    """A network on its device, ready to score.

    Attributes:
        network: called with one tensor (batch_rows, *shape) per input.
        threads, timeout_seconds: as those of MiniBatches.
        computed_by: device, settings, threads and versions.
    """

    network: Network
    package: Package
    device: torch.device
    settings: Settings
    threads: int
    computed_by: str
    timeout_seconds: float = TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        outputs, s = self.package.card.outputs, self.settings
        self._mini_batches = MiniBatches(
            self.network, outputs, self.device, input_dtype(s), s.batch_rows, self.threads, self.timeout_seconds, memory_format(s)
        )

    def __call__(self, inputs: Arrays) -> Arrays:
        """Score rows: `inputs` and result are one array (rows, *shape) per input and output of the card; raises as MiniBatches does."""
        if self.package.card.mask is None:
            return self._mini_batches(inputs)
        return score_by_length(self._mini_batches, self.package.card, inputs, self.settings.batch_rows)

    def take_copy_nanoseconds(self) -> int:
        """As that of MiniBatches."""
        return self._mini_batches.take_copy_nanoseconds()

    @property
    def placement(self) -> str:
        """What computes, for the manifest; mini-batches that had to shrink may have changed the last bits of scores."""
        fitting = self._mini_batches.slots_that_fit
        shrunk = "" if fitting is None else f", mini-batches of at most {fitting} rows for want of memory"
        return f"{self.computed_by}{shrunk}"


def load_scorer(
    package: Package,
    device: Device,
    settings: Settings,
    threads: int,
    timeout_seconds: float = TIMEOUT_SECONDS,
    machine: Mapping[str, str] | None = None,
) -> Scorer | Replicas:
    """Build the network, load its weights, and prove on the smoke batch that it scores as it did when it was packed.

    That is proved in float32, eager; what the settings make of the network is then compared with it on the same rows.

    Args:
        machine: the kind of machine that `settings` were measured on; None for settings that hold everywhere.

    Raises:
        ModelError: no such device, weights that do not fit, or a smoke batch that comes out differently.
        JobError: this is another kind of machine.
    """
    scorers = [_load_on(where, package, settings, threads, timeout_seconds, machine) for where in resolve_devices(device)]
    return scorers[0] if len(scorers) == 1 else Replicas(tuple(scorers))


def _load_on(
    where: torch.device,
    package: Package,
    settings: Settings,
    threads: int,
    timeout_seconds: float,
    machine: Mapping[str, str] | None,
) -> Scorer:
    if machine is not None:
        refuse_other_machine(machine, machine_kind(where))
    compute_float32_in_full()
    network = load_network(package).eval().to(where)
    computed_by = f"{device_name(where)} {settings}, {threads} thread(s), torch {torch.__version__}"
    no_empty_slots = Settings(min(settings.batch_rows, smoke_rows(package).num_rows))
    scorer = Scorer(network, package, where, no_empty_slots, threads, computed_by, timeout_seconds)
    check_smoke(scorer)
    if settings != Settings(settings.batch_rows):
        fast = accelerate(network, package.card, package.digest, settings, where)
        if where.type == "cuda":
            torch.cuda.synchronize(where)  # threads that score have streams of their own, which do not wait for this one
        scorer = replace(scorer, network=fast, settings=settings)
        check_smoke(scorer)
    # A new one: that the model takes the smoke batch says nothing about the rows of the run.
    return replace(scorer, settings=settings)


def resolve_devices(device: Device) -> list[torch.device]:
    """The devices that are meant: `cuda` all CUDA devices, without any it is an error; `auto` takes those when they are there."""
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return [torch.device("cpu")]
    if not torch.cuda.is_available():
        raise ModelError(f"model.device is {device}, but torch finds no CUDA device here; use a GPU worker, or device: cpu or auto")
    count = torch.cuda.device_count()
    if device in ("auto", "cuda"):
        return [torch.device("cuda", number) for number in range(count)]
    number = int(device.partition(":")[2])
    if number >= count:
        raise ModelError(f"model.device is {device}, but there are {count} CUDA devices here, cuda:0 to cuda:{count - 1}")
    return [torch.device("cuda", number)]


def threads_for(workers: int) -> int:
    """Threads for each of `workers` workers of this machine, so that together they use every core once."""
    return max(1, cores() // max(1, workers))


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
        if scorer.settings != Settings(scorer.settings.batch_rows):
            tolerance = _TOLERANCES[scorer.settings.dtype] * max(1.0, float(np.abs(values).max()))
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
