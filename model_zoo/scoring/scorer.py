"""A loaded model as a callable on columns: arrays by name in, scores out. Knows no Beam."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.engine import Engine, Network, find_engine
from model_zoo.engines.machine import device_name
from model_zoo.engines.settings import Device, Settings
from model_zoo.engines.tuning_report import refuse_elsewhere
from model_zoo.package.card import CARD, ModelCard
from model_zoo.package.packed_model import PackedModel
from model_zoo.scoring.devices import resolve_devices
from model_zoo.scoring.length_buckets import score_by_length
from model_zoo.scoring.mini_batches import MiniBatches
from model_zoo.scoring.replicas import Replicas
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.smoke import check_smoke

# Longer than any mini-batch takes that is not stuck.
TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class Scorer:
    """A model on its device, ready to score."""

    mini_batches: MiniBatches
    card: ModelCard

    def __call__(self, inputs: Arrays) -> Scored:
        """Score rows.

        Args:
            inputs: one array (rows, *shape) per input of the card.

        Returns:
            One array (rows, *shape) per output of the card, and what else is known.

        Raises:
            ModelError, WorkerError: as MiniBatches.
        """
        if self.card.mask is None:
            return self.mini_batches(inputs)
        batch_rows = self.mini_batches.batch_rows
        return score_by_length(self.mini_batches, self.card, inputs, batch_rows)


def load_scorer(
    package: PackedModel,
    device: Device,
    settings: Settings,
    threads: int,
    timeout_seconds: float = TIMEOUT_SECONDS,
    machine: Mapping[str, str] | None = None,
) -> Scorer | Replicas:
    """Load a model, and prove on the smoke batch that it scores as it did when it was packed.

    That is proved with the engine's reference settings first; what the wanted settings make of the
    network is then compared on the same rows.

    Args:
        package: checked.
        device: as a job names it: one, or all of a kind.
        settings: how the network computes.
        threads: mini-batches that a call computes at the same time on a CPU.
        timeout_seconds: longest time that one mini-batch may take.
        machine: the kind of machine that `settings` were measured on; None for settings that hold
            everywhere.

    Raises:
        ModelError: no such engine or device, weights that do not fit, or a smoke batch that comes
            out differently.
        JobError: this is another kind of machine.
    """
    engine = find_engine(settings.engine)
    _check_representation(engine, package)
    loading = _Loading(
        engine=engine,
        package=package,
        threads=threads,
        timeout_seconds=timeout_seconds,
    )
    scorers = []
    for where in resolve_devices(device):
        if machine is not None:
            refuse_elsewhere(machine, where, engine.describe_version())
        scorer = loading.prove_and_load(where, settings)
        scorers.append(scorer)
    if len(scorers) == 1:
        return scorers[0]
    return Replicas(tuple(scorers))


def _check_representation(engine: Engine, package: PackedModel) -> None:
    """Refuse a package without the file that an engine reads, whatever else it holds."""
    needed = engine.reads(package.card)
    if needed is None or needed not in (CARD, *package.card.files):
        what = needed or "form of the model"
        raise ModelError(
            f"{package.url}: holds no {what}, which engine {engine.name} reads; "
            "pack the model again with it, or choose another engine"
        )


@dataclass(frozen=True)
class _Loading:
    """A model that is being loaded, on one device or several."""

    engine: Engine
    package: PackedModel
    threads: int
    timeout_seconds: float

    def prove_and_load(self, where: torch.device, settings: Settings) -> Scorer:
        """Load the model on a device with the reference settings, and with others if they are wanted.

        Args:
            where: the device.
            settings: those of the job.

        Raises:
            ModelError: the smoke batch comes out differently with one of them.
        """
        # The smoke batch without padding: a few rows shall not cost a whole mini-batch.
        rows = min(settings.batch_rows, self.package.smoke.num_rows) or settings.batch_rows
        reference = settings.as_reference()
        proven = self._load(
            where,
            settings=reference,
            batch_rows=rows,
            wanted=settings,
        )
        check_smoke(proven, self.package, reference)
        if settings.is_reference:
            # A new one: that the model takes the smoke batch says nothing about rows of the run.
            fresh = replace(proven.mini_batches, batch_rows=settings.batch_rows)
            return replace(proven, mini_batches=fresh)

        # Loaded again from the package: the engine may have changed the first one in place.
        del proven
        fast = self._load(
            where,
            settings=settings,
            batch_rows=settings.batch_rows,
            wanted=settings,
        )
        check_smoke(fast, self.package, settings)
        # A new one, for the same reason as above.
        fresh = replace(fast.mini_batches)
        return replace(fast, mini_batches=fresh)

    def _load(
        self,
        where: torch.device,
        settings: Settings,
        batch_rows: int,
        wanted: Settings,
    ) -> Scorer:
        """Load the model with `settings`, on behalf of a run that wants others."""
        network = self.engine.load(
            self.package,
            device=where,
            threads=self.threads,
            settings=settings,
        )
        at_once = network.at_once or self.threads
        mini_batches = MiniBatches(
            network=network.compute,
            outputs=self.package.card.outputs,
            device=where,
            dtype=network.dtype,
            kept_dtype=network.kept_dtype,
            batch_rows=batch_rows,
            threads=at_once,
            shares_threads=network.at_once is not None,
            # Those of a server wait for each other: how many are on their way, the server decides.
            timeout_seconds=self.timeout_seconds * (network.at_once or 1),
            layout=network.layout,
            computed_by=network.computed_by or self._describe(network, where, wanted),
            is_out_of_memory=self.engine.is_out_of_memory,
        )
        return Scorer(mini_batches, self.package.card)

    def _describe(self, network: Network, where: torch.device, wanted: Settings) -> str:
        """Return what of this machine computes, for the manifest.

        Args:
            network: as the engine has loaded it.
            where: its device.
            wanted: the settings of the run.
        """
        device = device_name(where)
        version = self.engine.describe_version()
        computed_by = f"{device} {wanted}, {self.threads} thread(s), {version}"
        if network.provider:
            computed_by += f" ({network.provider})"
        if not network.is_exact:
            computed_by += ", last digits differ from run to run"
        return computed_by
