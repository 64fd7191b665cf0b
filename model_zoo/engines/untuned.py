"""What an engine says to tuning that has nothing to tune; an engine that has something says that itself."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from model_zoo.engines.engine import Sample
from model_zoo.engines.settings import Settings
from model_zoo.package.card import ModelCard
from model_zoo.package.packed_model import PackedModel

if TYPE_CHECKING:
    import torch


class Untuned:
    """An engine's part of the protocol that tuning asks, with nothing in it."""

    def list_settings(
        self,
        card: ModelCard,
        device: "torch.device",
        batch_rows: int,
        without: Sequence[str],
    ) -> Iterator[Settings]:
        """Yield nothing: the model says how it is computed, or its server does."""
        return iter(())

    def list_refinements(
        self, card: ModelCard, fastest: Sequence[Settings], without: Sequence[str]
    ) -> Iterator[Settings]:
        """Yield nothing, as `list_settings`."""
        return iter(())

    def calibrate(
        self,
        package: PackedModel,
        settings: Settings,
        sample: Sample,
    ) -> Settings:
        """Return the settings as they are: nothing is measured."""
        return settings
