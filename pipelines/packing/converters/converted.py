"""What becomes of a model that another library trained: an ONNX graph, and what goes with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from model_zoo.arrays import Arrays
from model_zoo.steps.columns import Scalar
from model_zoo.steps.table import AnyStep

# The sample's rows, and the graph's inputs made of them -> what the library itself gives.
Native: TypeAlias = Callable[[pa.Table, Arrays], Arrays]
Activation: TypeAlias = Literal["sigmoid", "softmax", "none"]


@dataclass(frozen=True)
class Converted:
    """A model as a graph, with what is known about its rows.

    Attributes:
        graph: `onnx.ModelProto`.
        dtypes: of each input, by name.
        computed_in: dtypes of its weights, as torch names them; none where outputs tell.
        native: what the library gives.
        library: its name, as packages call it.
        lengths: of lists that inputs take, by input, where the graph takes no other.
        columns: those that the model takes, in its order; none where the sample tells.
        inputs: which columns make up each input; none where that is found.
        steps: what makes numbers of the columns.
        fill: columns whose missing values become a value that no row has, by name.
        takes_missing: columns whose missing values reach the graph, as NaN.
        activation, labels: those of the model; none where nothing tells.
        finish: makes of the graph's outputs what `native` gives.
        notes: what was changed, in words.
    """

    graph: Any
    dtypes: Mapping[str, str]
    native: Native
    library: str
    lengths: Mapping[str, int] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    steps: tuple[AnyStep, ...] = ()
    fill: Mapping[str, Scalar] = field(default_factory=dict)
    takes_missing: frozenset[str] = frozenset()
    activation: Activation | None = None
    labels: tuple[str, ...] = ()
    finish: Callable[[Arrays], Arrays] = dict
    notes: tuple[str, ...] = ()
    computed_in: tuple[str, ...] = ()
