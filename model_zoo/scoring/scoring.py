"""Which model scores, and how: what travels to workers, who load the model by it (`loading.py`)."""

from collections.abc import Mapping
from dataclasses import dataclass

from model_zoo.engines.settings import Device, Settings
from model_zoo.package.package import Package
from model_zoo.remote.target import Target


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
        target: the server that computes, with this worker's share of the requests; None for none.
        made: the package itself, where no folder holds it.
    """

    package: str
    digest: str
    device: Device
    settings: Settings
    timeout_seconds: float
    workers: int
    machine: Mapping[str, str] | None = None
    modules: tuple[str, ...] = ()
    target: Target | None = None
    made: Package | None = None
