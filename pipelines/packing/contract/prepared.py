"""The sample as a network takes it, and the steps that make it so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from model_zoo.arrays import Arrays
from model_zoo.package.card import Tensor
from model_zoo.steps.columns import Column
from model_zoo.steps.table import AnyStep

Columns: TypeAlias = Mapping[str, Column]
Steps: TypeAlias = tuple[AnyStep, ...]


@dataclass(frozen=True)
class Prepared:
    """The sample as the network takes it.

    Attributes:
        steps: fitted, from the contract's columns to the inputs.
        tensors: what each argument takes, in the network's order.
        inputs: one array (rows, ...) per argument, in that order.
        rows: the sample's rows that these are of.
    """

    steps: Steps
    tensors: dict[str, Tensor]
    inputs: Arrays
    rows: pa.Table
