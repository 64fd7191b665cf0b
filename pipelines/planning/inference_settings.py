"""How a network computes, and on which machines that was measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from model_zoo.engines.settings import Settings
from model_zoo.evaluation.agreement import Agreement


@dataclass(frozen=True)
class InferenceSettings:
    """How the network computes, and where that holds.

    Attributes:
        settings: what the engine is told.
        machine: the kind of machine that it was measured on, and the version of the engine; None
            when it holds on every one.
        agreement: with float32, eager; None where nobody measured.
        workers: how many are best on such a machine, as measured, or because they wait for a server;
            None for one per core.
        why: in words, for the log; nothing where the job says it all.
        chosen_by: who named the engine, in words, for the manifest.
    """

    settings: Settings
    machine: Mapping[str, str] | None = None
    agreement: Agreement | None = None
    workers: int | None = None
    why: str = ""
    chosen_by: str = "the package"
