"""The model card, `model.yaml`: what a model package says of its model."""

from math import prod
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from configs.fields import Fields, Names
from model_zoo.steps.columns import Scalar
from model_zoo.steps.moments import TimeUnit

CARD = "model.yaml"

# 512 MiB of float32 for one row: no real model takes as much, and a hostile card would ask for more.
_MOST_NUMBERS_OF_A_ROW = 1 << 27

_SHA256 = "^[0-9a-f]{64}$"
# A library's own file of a model, by the name of its format.
Form: TypeAlias = Literal["keras", "tflite", "xgboost", "lightgbm", "skops"]
# It becomes part of file names and log lines.
_MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"

# What scores are. Most say it by activation and shape; the others, and `evaluate`, need the word.
Task: TypeAlias = Literal[
    "classification", "multi_label", "tokens", "regression", "ranking", "embedding"
]
Dimension: TypeAlias = Annotated[int, Field(ge=0)]
Sha256: TypeAlias = Annotated[str, Field(pattern=_SHA256)]
DType: TypeAlias = Literal[
    "float32", "float64", "int32", "int64", "bool", "float16",
    "int8", "int16", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip
ModelName: TypeAlias = Annotated[str, Field(pattern=_MODEL_NAME)]


class _Part(BaseModel):
    # An unknown key is a misspelt one, and what it was meant to say would be lost in silence.
    # A card is YAML, which has infinity and NaN; without this word they would become nothing.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class InputColumn(_Part):
    """A column that every shard must have, of exactly this Arrow type.

    Attributes:
        missing: what a missing value does (null and, in floating columns, NaN): `error` stops the
            run, `reject` rejects the row, `fill` puts `fill` in its place. A list with a missing
            item is missing.
        number: of a date, time or duration: the unit that it is counted in, from midnight of
            1970-01-01 (UTC where the type has a zone) or from midnight; steps see that number.
    """

    name: str
    type: str
    missing: Literal["error", "reject", "fill"]
    fill: Scalar | None = None
    number: TimeUnit | None = None


# What a model asks of its rows.
Contract: TypeAlias = tuple[InputColumn, ...]


class Tensor(_Part):
    """An array that the network takes or gives.

    Attributes:
        shape: without the leading rows.
        column: of an input: what preprocessing makes it of, where that has another name.
    """

    dtype: DType = "float32"
    shape: tuple[Dimension, ...]
    column: str | None = None

    @field_validator("shape")
    @classmethod
    def _fits_in_memory(cls, shape: tuple[int, ...]) -> tuple[int, ...]:
        numbers = prod(shape)
        if numbers > _MOST_NUMBERS_OF_A_ROW:
            raise ValueError(
                f"a row of {numbers:,} numbers is more than {_MOST_NUMBERS_OF_A_ROW:,}"
            )
        return shape


class GraphInputs(_Part):
    """The inputs that are a graph a row; a mini-batch of rows is computed as one graph of them all.

    Attributes:
        nodes: the input of a vector, or a number, for each node: (nodes, ...).
        edges: the input of edges, int64 (2, edges): the numbers of the nodes that each joins, and -1
            where there is none.
        count: the input of how many nodes there are, int64 (); it is no argument of the network.
        attributes: the input of what is known of each edge, (edges, ...).
        batch: the argument of the network that takes the number of the row of each node.
        pool: what makes one number of those of all nodes, where the network gives some for each.
    """

    nodes: str
    edges: str
    count: str
    attributes: str | None = None
    batch: str | None = None
    pool: Literal["mean", "sum", "max"] | None = None


class FileEntry(_Part):
    """Content of one file of the package."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class OnnxFiles(_Part):
    """The model as an ONNX graph.

    Attributes:
        model: file of the graph.
        data: files with numbers of a graph that one file does not hold.
    """

    model: str = "model.onnx"
    data: Names = ()


class RemoteModel(_Part):
    """The model where a server computes it.

    Attributes:
        protocol: how the server is spoken to, a word of `model_zoo.remote`.
        url: its address when the package was made; a job may name another.
        name: of the model there.
        version: of the model there, which the smoke batch was scored by; None where the server tells
            none.
    """

    protocol: str
    url: str
    name: str
    version: str | None = None


class ModelCard(_Part):
    """`model.yaml`. It holds the model as a network with its weights, as an ONNX graph, in a library's
    own form, or in several of these; or it names the server that computes it.

    Attributes:
        builder: name of the network, as `model_zoo.architectures.builders` finds it, called with
            `parameters`; none where there is no such network.
        source_sha256: of a user's own network: of the file of its module.
        call: how a network that is not ours takes its inputs: by name, or by position in their order
            here.
        weights: file of the state dict: `*.safetensors`, `*.pt` or `*.pth`.
        onnx: the model as a graph of ONNX.
        forms: the model as libraries keep it themselves: the file of each format.
        remote: the model of a server, in place of all these.
        columns: what every shard must have.
        inputs, outputs: the network's keyword arguments and results, by name.
        activation: what turns the (only) output into probabilities.
        task: what the scores are; of regression, `labels` names the numbers of the only output.
        labels: class names by class number; for a sigmoid of one logit two, [negative, positive].
        mask: for texts: the input, int (rows, tokens), that is 1 for tokens and 0 for the padding
            behind them; mini-batches are then made of rows of about the same length, and inputs of
            as many tokens are cut to that.
        graph: of a network of graphs: its inputs.
        smoke_tolerance: largest absolute difference of the smoke outputs in float32.
        libraries: versions that trained the model.
    """

    name: ModelName
    version: str
    builder: str = ""
    parameters: Fields = {}
    source_sha256: Sha256 | None = None
    call: Literal["keywords", "positions"] = "keywords"
    weights: str = "weights.safetensors"
    onnx: OnnxFiles | None = None
    forms: dict[Form, str] = {}
    remote: RemoteModel | None = None
    columns: tuple[InputColumn, ...]
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    activation: Literal["sigmoid", "softmax", "none"] = "none"
    task: Task | None = None
    labels: Names = ()
    mask: str | None = None
    graph: GraphInputs | None = None
    smoke_tolerance: float = 1e-5
    metrics: Fields = {}
    libraries: dict[str, str] = {}
    files: dict[str, FileEntry]

    @property
    def has_network(self) -> bool:
        """Tell whether the package holds a network with its weights."""
        return bool(self.builder)

    def list_representations(self) -> Names:
        """Return the files that hold the model, in any of its forms."""
        names: list[str] = []
        if self.has_network:
            names.append(self.weights)
        if self.onnx is not None:
            names.extend((self.onnx.model, *self.onnx.data))
        names.extend(self.forms.values())
        return tuple(names)

    @model_validator(mode="after")
    def _holds_a_model(self) -> "ModelCard":
        has_any = self.has_network or self.onnx is not None or self.forms
        if not has_any and self.remote is None:
            raise ValueError(
                "builder is missing; a card names a network (builder), a graph (onnx), a "
                "library's own file (forms), or a server (remote)"
            )
        # Nothing would tell which of them the smoke batch is of.
        if has_any and self.remote is not None:
            raise ValueError("remote goes with no builder, onnx or forms; pack them apart")
        return self

    @model_validator(mode="after")
    def _mask_is_an_input(self) -> "ModelCard":
        if self.mask is None:
            return self
        # Its length is the number of tokens, which tells what other inputs are cut to.
        masked = self.inputs.get(self.mask)
        has_tokens = masked is not None and len(masked.shape) == 1
        if not has_tokens:
            raise ValueError(
                f"mask must be an input of one dimension, (rows, tokens), got {self.mask!r}"
            )
        return self

    @model_validator(mode="after")
    def _graph_is_of_inputs(self) -> "ModelCard":
        if self.graph is None:
            return self
        graph = self.graph
        named = [graph.nodes, graph.edges, graph.count]
        if graph.attributes is not None:
            named.append(graph.attributes)
        missing = [name for name in named if name not in self.inputs]
        if missing:
            raise ValueError(f"graph names {missing[0]!r}, which is no input")
        nodes = self.inputs[graph.nodes]
        edges = self.inputs[graph.edges]
        count = self.inputs[graph.count]
        # Of each edge the two nodes that it leads from and to.
        are_pairs = len(edges.shape) == 2 and edges.shape[0] == 2
        are_numbers = edges.dtype == count.dtype == "int64"
        is_graph = bool(nodes.shape) and are_pairs and not count.shape
        if not is_graph or not are_numbers:
            raise ValueError(
                "graph must name nodes (rows, nodes, ...), edges int64 (rows, 2, edges) and "
                "count int64 (rows,)"
            )
        if graph.batch in self.inputs or self.mask is not None:
            raise ValueError("graph goes with no mask, and batch is made and no input")
        return self
