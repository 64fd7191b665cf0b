"""Which model scores, and how: what travels to workers, who load the model by it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from model_zoo.engines.settings import Device, Settings
from model_zoo.library_caches import refuse_shared_caches
from model_zoo.load_limits import load_within_limits
from model_zoo.package.package import read_package
from model_zoo.scoring.devices import threads_for
from model_zoo.scoring.replicas import Replicas
from model_zoo.scoring.scorer import Scorer, load_scorer


@dataclass(frozen=True)
class Scoring:
    """Which model scores, and how: what a launcher hands to its workers, who load it.

    Attributes:
        package: folder of the model package.
        digest: of the package, as the launcher saw it.
        settings: how the network computes.
        timeout_seconds: the longest time that a mini-batch may take.
        workers: how many workers share one machine's cores.
        machine: the kind of machine that the settings were measured on; None when they hold on all.
        modules: users' own modules that the package's network may come from.
    """

    package: str
    digest: str
    device: Device
    settings: Settings
    timeout_seconds: float
    workers: int
    machine: Mapping[str, str] | None = None
    modules: tuple[str, ...] = ()

    def load(self) -> Scorer | Replicas:
        """Return the model, ready to score.

        Raises:
            ModelError, JobError: it cannot be loaded here, or not safely.
        """
        # Here too: a worker's environment may be another than the launcher's.
        refuse_shared_caches()
        # The launcher's digest, so that a package that changed since is refused.
        package = read_package(self.package, self.digest, self.modules)
        threads = threads_for(self.workers)
        load = partial(
            load_scorer,
            package,
            self.device,
            self.settings,
            threads,
            self.timeout_seconds,
            self.machine,
        )
        return load_within_limits(load, package.url, package.card)
