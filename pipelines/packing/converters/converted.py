"""What becomes of a model that another library trained: a graph, its own form, and what goes with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

import pyarrow as pa

from configs.errors import JobError
from configs.fields import Names
from model_zoo.arrays import Arrays
from model_zoo.package.card import Form
from model_zoo.remote.target import Target
from model_zoo.steps.columns import Scalar
from model_zoo.steps.table import AnyStep

# The sample's rows, and the graph's inputs made of them -> what the library itself gives.
Native: TypeAlias = Callable[[pa.Table, Arrays], Arrays]
Activation: TypeAlias = Literal["sigmoid", "softmax", "none"]


class NoGraphError(JobError):
    """A model that ONNX does not say number for number; its own library computes it."""


class OwnForm(NamedTuple):
    """A model as its own library keeps it.

    Attributes:
        form: name of the format.
        content: of the file.
        is_always_kept: whether it is kept beside a graph, too, where nobody asks for it.
    """

    form: Form
    content: bytes
    is_always_kept: bool = False


@dataclass(frozen=True)
class Converted:
    """A model as a graph, or as its own library keeps it, with what is known about its rows.

    Attributes:
        graph: `onnx.ModelProto`; None where ONNX does not say all of the model.
        dtypes: of each input, by name.
        target: the server that holds the model; None where the package does.
        most_rows: that this server takes at once; None for any.
        computed_in: dtypes of its weights, as torch names them; none where outputs tell.
        native: what the library gives.
        library: its name, as packages call it.
        own: the library's own form of the model, of the graph's inputs and outputs; None where there
            is none.
        make_own: makes the model as its own library keeps it, of inputs of its own; None where `own`
            is all there is.
        lengths: of lists that inputs take, by input, where the graph takes no other.
        columns: those that the model takes, in its order; none where the sample tells.
        inputs: which columns make up each input; none where that is found.
        steps: what makes numbers of the columns.
        fill: columns whose missing values become a value that no row has, by name.
        takes_missing: columns whose missing values reach the graph, as NaN.
        activation, labels: those of the model; none where nothing tells.
        finish: makes of the model's outputs what `native` gives.
        begin: makes of what `native` gives the model's outputs, where there is no graph.
        notes: what was changed, in words.
    """

    graph: Any
    dtypes: Mapping[str, str]
    native: Native
    library: str
    own: OwnForm | None = None
    make_own: "Callable[[], Converted] | None" = None
    lengths: Mapping[str, int] = field(default_factory=dict)
    columns: Names = ()
    inputs: Mapping[str, str | Names] = field(default_factory=dict)
    steps: tuple[AnyStep, ...] = ()
    fill: Mapping[str, Scalar] = field(default_factory=dict)
    takes_missing: frozenset[str] = frozenset()
    activation: Activation | None = None
    labels: Names = ()
    finish: Callable[[Arrays], Arrays] = dict
    begin: Callable[[Arrays], Arrays] = dict
    notes: Names = ()
    computed_in: Names = ()
    target: Target | None = None
    most_rows: int | None = None


def keep_own(converted: Converted, reason: str) -> Converted | None:
    """Return the model as its own library keeps it, and nothing else; None where that is not known.

    Args:
        converted: with a graph.
        reason: why the graph is not kept, in words.
    """
    if converted.make_own is not None:
        own = converted.make_own()
    elif converted.own is not None:
        own = replace(converted, graph=None)
    else:
        return None
    return replace(own, notes=(*own.notes, reason))
