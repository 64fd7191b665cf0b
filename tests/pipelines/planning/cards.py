"""Model cards and jobs for planning alone, of which nothing is stored."""

from pathlib import Path
from typing import Any

from configs.load import load
from model_zoo.package.card import ModelCard
from pipelines.planning.jobs import ScoringJob
from tests.support.builders import tiny_card
from tests.support.jobs import write_job


def make_card(**changes: Any) -> ModelCard:
    """Return the card of the tiny model with these changes."""
    return ModelCard.model_validate({**tiny_card(**changes), "files": {}})


def make_card_of(*shape: int, dtype: str = "float32") -> ModelCard:
    """Return the card of a model that takes one input of this shape."""
    return make_card(inputs={"x": {"dtype": dtype, "shape": list(shape)}})


def make_job(folder: Path, **sections: Any) -> ScoringJob:
    """Return the job of the tiny model with these sections."""
    return load(ScoringJob, str(write_job(folder, folder / "model", **sections)), [])
