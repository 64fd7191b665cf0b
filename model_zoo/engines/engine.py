"""The contract of an engine, a library that computes networks.

An engine is one file in this folder and its line in `table.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from configs.errors import ModelError
from configs.suggest import nearest
from model_zoo.engines.settings import DEFAULT_ENGINE, Settings
from model_zoo.engines.table import ENGINES, ENGINES_OF_FORMS
from model_zoo.package.card import ModelCard
from model_zoo.package.packed_model import PackedModel

# For its types alone: torch takes a second to import, and a run that is published needs none of it.
if TYPE_CHECKING:
    import torch

# One tensor (rows, *shape) per input.
Inputs: TypeAlias = Mapping[str, "torch.Tensor"]
# Called with the number of rows wanted: mini-batches of the job's own rows, at most so many rows.
Sample: TypeAlias = Callable[[int], Iterable[Inputs]]


@dataclass(frozen=True)
class Network:
    """A model that an engine has loaded.

    Attributes:
        compute: called with one tensor (batch_rows, *shape) per input, by name, on the device;
            returns a dict of tensors (batch_rows, *shape), one per output. Several threads call it
            at the same time.
        dtype: in which floating-point inputs reach it; None for those of the card.
        kept_dtype: in which the card's inputs reach it all the same; None for none.
        layout: memory format of inputs with four dimensions.
        provider: the part of the library that computes, for the manifest, where it has several.
        is_exact: whether a score has the same bits in each run on such a machine, whatever rows,
            threads and workers are beside it.
        at_once: mini-batches that all callers together have computed at the same time; None where
            each has as many threads as it is given.
        computed_by: who computes, for the manifest, where that is not this machine.
    """

    compute: Callable[..., Any]
    dtype: "torch.dtype | None"
    layout: "torch.memory_format"
    kept_dtype: "torch.dtype | None" = None
    provider: str = ""
    is_exact: bool = True
    at_once: int | None = None
    computed_by: str = ""


class Engine(Protocol):
    """A library that computes networks; it has no state of its own."""

    @property
    def name(self) -> str:
        """Return the word that settings name it by."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """Return the modules that must be installed for it."""

    @property
    def extra(self) -> str | None:
        """Return the extra of this program that brings them; None when they always come."""

    @property
    def device_types(self) -> tuple[str, ...]:
        """Return the kinds of devices that it computes on, as torch names them."""

    def reads(self, card: ModelCard) -> str | None:
        """Return which file of the package it reads; None when the card names none for it.

        Where a server holds the model, that is the card itself.
        """

    def load(
        self,
        package: PackedModel,
        device: "torch.device",
        threads: int,
        settings: Settings,
    ) -> Network:
        """Load the package's model.

        Args:
            package: checked, of a card that lists the file that the engine reads.
            device: where it computes.
            threads: mini-batches that will be computed at the same time; an engine with threads of
                its own takes one for each.
            settings: how it computes.

        Raises:
            ModelError: the package's file does not hold the card's network, or the settings do not
                go with it or with the device.
        """

    def describe_version(self) -> str:
        """Return library and version, as a manifest says them."""

    def is_out_of_memory(self, error: Exception) -> bool:
        """Tell whether an error of a network means that fewer rows may fit."""

    def list_settings(
        self,
        card: ModelCard,
        device: "torch.device",
        batch_rows: int,
        without: Sequence[str],
    ) -> Iterator[Settings]:
        """Yield settings that are worth trying when tuning, beside the reference.

        Args:
            card: what the model takes.
            device: where it computes.
            batch_rows: rows of their mini-batches.
            without: words of settings to leave out.
        """

    def list_refinements(
        self,
        card: ModelCard,
        fastest: Sequence[Settings],
        without: Sequence[str],
    ) -> Iterator[Settings]:
        """Yield what may make the fastest settings faster still.

        Args:
            card: what the model takes.
            fastest: settings that may be kept, the fastest first.
            without: words of settings to leave out.
        """

    def calibrate(
        self,
        package: PackedModel,
        settings: Settings,
        sample: Sample,
    ) -> Settings:
        """Return settings with what must be measured on a sample, or as they are.

        Args:
            package: whose model is measured.
            settings: as `list_settings` yields them.
            sample: rows that the reference scores.

        Raises:
            ModelError: nothing can be measured on this network, these rows or this processor.
        """


def choose_engine(card: ModelCard) -> str:
    """Return the engine of a job that names none: torch, wherever the package holds what it reads."""
    # Not by what is installed: the same package is computed by the same library on every machine.
    if card.has_network:
        return DEFAULT_ENGINE
    if card.onnx is not None:
        return "onnxruntime"
    if card.remote is not None:
        return "remote"
    # The card holds one of these, or it would be none.
    form = next(form for form in ENGINES_OF_FORMS if form in card.forms)
    return ENGINES_OF_FORMS[form]


def find_engine(name: str) -> Engine:
    """Return an engine that can compute here.

    Raises:
        ModelError: there is no engine of this name, or its library is not installed.
    """
    engine = make_engine(name)
    missing = find_missing_library(engine)
    if missing is not None:
        raise ModelError(
            f"engine {name} needs {missing}, which is not installed here; "
            f"install its extra where workers run: pip install '.[{engine.extra}]'"
        )
    return engine


def make_engine(name: str) -> Engine:
    """Return an engine, whether its library is installed or not.

    Raises:
        ModelError: there is no engine of this name.
    """
    if name not in ENGINES:
        hint = nearest(name, sorted(ENGINES))
        raise ModelError(f"engine {name!r} is unknown{hint}")
    place = ENGINES[name]
    module, _, attribute = place.partition(":")
    make = getattr(import_module(module), attribute)
    engine: Engine = make()
    return engine


def list_readers(card: ModelCard) -> list[Engine]:
    """Return the engines that read a form of the model that a package holds, installed or not."""
    engines = [make_engine(name) for name in ENGINES]
    return [engine for engine in engines if engine.reads(card) is not None]


def find_missing_library(engine: Engine) -> str | None:
    """Return a module that an engine needs and that is not installed here; None when all are."""
    # Looked for and not imported: that is the engine's own work, when it loads a model.
    for library in engine.libraries:
        if find_spec(library) is None:
            return library
    return None
