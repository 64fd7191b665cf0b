"""A packaging job: a model that somebody has, and what cannot be found out about it."""

from collections.abc import Iterator
from typing import Annotated, Any, Generic, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from configs.fields import (
    Activation,
    Columns,
    DType,
    Length,
    Name,
    Names,
    OneOrMore,
    Paths,
    Scalar,
    Steps,
    StepT,
    TimeUnit,
    Url,
    Version,
    as_names,
    without_credentials_in_roots,
)
from configs.missing import Missing, refuse_contradictions
from configs.server import Remote

# As a card says it.
Task: TypeAlias = Literal[
    "classification", "multi_label", "tokens", "regression", "ranking", "embedding"
]


# Models that other libraries trained, by the flag that names their file.
CONVERTED = ("onnx", "sklearn", "xgboost", "lightgbm", "keras", "tflite", "exported", "torchscript")
# Files that hold network and weights, by the end of their name.
_WHOLE_MODELS = {".keras": "keras", ".tflite": "tflite"}


class GraphColumns(BaseModel):
    """The columns that are a graph a row, for a network as torch_geometric has them.

    Attributes:
        nodes: column of a vector, or a number, for each node: the network's `x`.
        edges: two columns of the numbers of nodes that edges lead from and to, or one of such pairs:
            `edge_index`.
        attributes: column of a vector for each edge, `edge_attr`, or of a number, `edge_weight`.
        pool: what makes one number of those of all nodes, where the network gives some for each;
            without it they are the scores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    nodes: str
    edges: Annotated[OneOrMore, Field(max_length=2)]
    attributes: str | None = None
    pool: Literal["mean", "sum", "max"] | None = None


class PackagingJob(BaseModel, Generic[StepT]):
    """A whole packaging job.

    Attributes:
        name: of the model; by default that of the network.
        network: `module:callable` of your own, `library:name` (torchvision, timm, transformers), or
            a network of this program.
        huggingface: folder of a model as transformers and sentence-transformers save it, in place of
            network, parameters and weights: its texts or pictures are in the column `text` or `image`.
        parameters: keyword arguments of the network's class or function.
        weights: its state dict: `.safetensors`, `.pt` or `.pth`, also inside a checkpoint.
        onnx, sklearn, xgboost, lightgbm: in place of a network and weights, the file of a model that
            is kept as an ONNX graph: `.onnx`; a fitted estimator or Pipeline in `.skops`, or in
            `.joblib` or `.pkl` with `trust_this_file`; `.json` or `.ubj`; `.txt`.
            Beside a network `onnx: false` keeps its package without the graph that is exported of it.
        keras: a model of Keras 3, `.keras`, which `weights` may name, too; it is kept as it is, and as
            a graph where that is possible.
        tflite: a model of LiteRT (TensorFlow Lite), `.tflite`, as keras.
        exported, torchscript: as above, a program of torch: the file of torch.export.save or of
            torch.jit.save, with `trust_this_file`.
        remote: a model in a server, in place of network and weights: `protocol`, `url`, `name`,
            `version`, and how it is reached (`server`). The package holds what the server says, and what
            it gives for the sample.
        trust_this_file: that reading the model's file may run what its author put into it, here and
            now: a pickle, an exported program, TorchScript; a package never holds one.
        native: that a model that is kept as a graph is kept as its own library has it, too, so that
            `model.engine` may ask for that library.
        sample: Parquet or CSV files with rows as the nightly job will have them; columns, types and
            missing values are found there.
        key: column that names a row; no model column.
        label: column of the sample that the model must not see.
        columns: what the model sees, in this order; by default all columns but key and label.
        missing: what a missing value does: `reject` its row (the default), stop with an `error`, or
            `fill` where a step fills it, or the model takes it; a word for all columns, or words by
            column and one for all others, `{default: fill, age: reject}`. What a `fill` step fills
            needs no word.
        fill: columns whose missing values are replaced, each with its value.
        numbers: columns of dates, times or durations, each with the unit in which the network takes
            them as a number: `days`, `hours`, `minutes`, `seconds`, `milliseconds`, `microseconds`,
            counted from 1970-01-01 (UTC where there is a zone), or from midnight.
        lengths: columns of lists, each with the length that shorter lists are padded to with zeros;
            by default that of the sample's longest. A longer list rejects its row.
        cut: columns of lists that are cut at that length instead.
        preprocess: steps from the columns to what the network takes; those with values to be fitted
            are fitted on the sample.
        inputs: the network's arguments, each with the column that it takes as it is, or with a list
            of columns that are stacked side by side in float32; by default all columns stacked for a
            network of one argument, and else for each argument the column of its name. The mask of a
            column of lists is the column `<name>_mask`.
        dtypes: the network's arguments, each with the dtype of its tensor, where the network does
            not say by failing with others.
        graph: of a network of graphs: the columns that are nodes and edges.
        outputs: of what the network returns under names, the tensors that are wanted; a name for
            each of what it returns without.
        image: column of pictures, which the network takes as its library says; then the only column
            of the model unless `columns` names more.
        text: column of texts for a Hugging Face model; as `image`.
        settings: whose settings for pictures, where the library has several: a name of its weights.
        task: what the scores are, where the outputs do not tell.
        activation: what makes probabilities of its logits.
        labels: class names by class number; of regression the numbers' names.
        expected: scores that the author computed elsewhere, Parquet or CSV with the key and columns
            named as the package's; the package is refused where they differ.
        output: folder for the package.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name | None = None
    version: Version = "1"
    network: str = ""
    huggingface: Url | None = None
    parameters: dict[str, Any] = {}
    weights: Url = ""
    onnx: Url | Literal[False] | None = None
    sklearn: Url | None = None
    xgboost: Url | None = None
    lightgbm: Url | None = None
    keras: Url | None = None
    tflite: Url | None = None
    exported: Url | None = None
    torchscript: Url | None = None
    remote: Remote | None = None
    trust_this_file: bool = False
    native: bool = False
    sample: Paths = ()
    key: str | None = None
    label: str | None = None
    columns: OneOrMore | None = None
    missing: Missing = {}
    fill: dict[str, Scalar] = {}
    numbers: dict[str, TimeUnit] = {}
    lengths: dict[str, Length] = {}
    cut: Names = ()
    preprocess: tuple[StepT, ...] = ()
    inputs: dict[str, Columns] = {}
    dtypes: dict[str, DType] = {}
    graph: GraphColumns | None = None
    outputs: Names = ()
    image: str | None = None
    text: str | None = None
    settings: str | None = None
    task: Task | None = None
    activation: Activation | None = None
    labels: Names = ()
    expected: Url | None = None
    output: Url = ""

    @model_validator(mode="before")
    @classmethod
    def _take_whole_models(cls, fields: Any) -> Any:
        """Take a file that holds a whole model by its own name, where it was given as weights."""
        weights = str(fields.get("weights", "")) if isinstance(fields, dict) else ""
        for suffix, kind in _WHOLE_MODELS.items():
            if weights.endswith(suffix) and not fields.get("network"):
                others = {name: value for name, value in fields.items() if name != "weights"}
                return {kind: weights, **others}
        return fields

    @field_validator("preprocess")
    @classmethod
    def _without_credentials(cls, steps: Steps) -> Steps:
        return without_credentials_in_roots(steps)

    @field_validator("outputs", "cut", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return as_names(value)

    @property
    def converted(self) -> tuple[str, str] | None:
        """Return kind and place of a model that other libraries trained; None for a network."""
        if self.remote is not None:
            return "remote", self.remote.url
        for kind in CONVERTED:
            url = getattr(self, kind)
            # The first one: of several the job is refused.
            if url:
                return kind, url
        return None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "PackagingJob[StepT]":
        problems = list(self._list_mixed_models())
        problems += self._list_wrong_columns()
        try:
            refuse_contradictions(self.missing, self.fill)
        except ValueError as error:
            problems.append(str(error))
        # All at once: whoever is new to this would be told one after the other.
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _list_mixed_models(self) -> Iterator[str]:
        """Yield what the job says of models of several kinds."""
        kinds = ("network", "huggingface", *CONVERTED, "remote")
        given = [kind for kind in kinds if getattr(self, kind)]
        if len(given) > 1:
            named = " and ".join(given)
            yield f"a package holds one model, and the job names {named}"

        is_converted = self.converted is not None
        holds_its_own = self.huggingface or is_converted
        if holds_its_own and (self.weights or self.parameters):
            yield "weights and parameters are those of network; the other kinds hold their own"
        # A folder of Hugging Face has its tokenizer, and nothing else has one.
        if self.text and (self.network or is_converted):
            yield "text is for huggingface; a network of another kind takes a tokenize step"
        if self.native and not is_converted:
            yield "native is for models of other libraries; a network has no other form of its own"
        if is_converted and (self.image or self.settings):
            yield (
                "image and settings are for network and huggingface; a model of another kind takes an "
                "image step in preprocess"
            )
        if self.text and self.image:
            yield "huggingface takes texts or pictures, and the job names both"

    def _list_wrong_columns(self) -> Iterator[str]:
        """Yield what a model must not see, and is said to."""
        hidden = (self.key, self.label)
        # By default the columns are all others.
        for name in self.columns or ():
            if name in hidden:
                yield f"columns must not hold {name!r}: a model must not see key or label"
