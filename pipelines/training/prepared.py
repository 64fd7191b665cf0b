"""A network that is ready to be trained, and the rows that it learns from."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
from torch import nn

from configs.packaging import PackagingJob
from model_zoo.package.card import Tensor
from model_zoo.steps.table import AnyStep
from model_zoo.training.examples import Examples

Packaging = PackagingJob[AnyStep]


@dataclass(frozen=True)
class Part:
    """One part of the split.

    Attributes:
        rows: all columns, without the rows that no score would be made of.
        examples: the network's inputs (rows, ...), and the targets.
        left_out: how many rows were.
    """

    rows: pa.Table
    examples: Examples
    left_out: int


@dataclass(frozen=True)
class Prepared:
    """A network and what it learns from.

    Attributes:
        packaging: the packaging job, with fitted steps and all that was found.
        network: with fresh weights; this one is packed.
        called: the same as it is trained: takes and gives arrays by name.
        parts: by name.
        outputs: what it gives for a row, by name.
        inputs: what it takes, and the columns that are it.
    """

    packaging: Packaging
    network: nn.Module
    called: nn.Module
    parts: Mapping[str, Part]
    outputs: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
