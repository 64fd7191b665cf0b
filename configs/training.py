"""A training job: rows, preprocessing to fit, network, and how to train it."""

from typing import Annotated, Any, Generic, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    field_validator,
    model_validator,
)

from configs.fields import (
    Activation,
    AnyNames,
    Columns,
    Count,
    DType,
    Name,
    Names,
    Steps,
    StepT,
    Url,
    Version,
    without_credentials_in_roots,
)
from configs.packaging import GraphColumns
from configs.recipe import Training
from configs.training_data import Data, Split

# Of `training`. What stops early or chooses the best looks at a loss that tells nothing here.
_OF_A_GAN = ("learning_rate", "batch_rows", "epochs", "threads", "seed")


def _by_name(value: object) -> object:
    """Return arguments with their columns: `[x]` is short for `{x: x}`."""
    if isinstance(value, list | tuple):
        return {name: name for name in value}
    # pydantic refuses what is no mapping.
    return value


Inputs: TypeAlias = Annotated[dict[str, Columns], BeforeValidator(_by_name)]


class _Section(BaseModel):
    # An unknown key is a misspelt one, and what it was meant to say would be lost in silence.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(_Section):
    """Which network, and what it takes and gives.

    Attributes:
        builder, parameters: as a model card names them; sizes that the data tell may be left out.
            By default a network that suits the columns.
        weights: file of weights to begin with, in place of fresh ones.
        inputs: its arguments, each with the column that it takes as it is, or with a list of columns
            that are stacked; names alone stand for columns of those names.
        outputs: what of several things that it gives is wanted.
        dtypes: its arguments, each with the dtype of its tensor, where it fails with others.
        graph: of a network of graphs: the columns that are nodes and edges.
        activation: what makes probabilities of its logits; `none` of a regression.
    """

    builder: str | None = None
    parameters: dict[str, Any] = {}
    weights: Url | None = None
    inputs: Inputs = {}
    outputs: AnyNames = ()
    dtypes: dict[str, DType] = {}
    graph: GraphColumns | None = None
    activation: Activation | None = None

    @model_validator(mode="after")
    def _names_whose_parameters_these_are(self) -> "Network":
        if self.builder is None and (self.parameters or self.weights):
            raise ValueError("builder is needed: parameters and weights are those of a network")
        return self


class Gan(_Section):
    """A generator that makes pictures, for the network to be told from real ones: it learns outliers.

    Attributes:
        noise: how many random numbers a picture is made of; by default 16.
        hidden: widths of the generator's layers; by default 128 and 128.
    """

    noise: Count | None = None
    hidden: tuple[Count, ...] | None = None


class TrainingJob(_Section, Generic[StepT]):
    """A whole training job; what it does not say is found in the data, and written beside the model.

    Attributes:
        name, version: of the model; by default the last two parts of `output`, `models/churn/1`.
        from_package: a package to go on from: its weights, columns, fitted steps, network and labels.
        refit: whether the steps of `from_package` are fitted again, on these rows.
        modules: modules of your own that `from_package` may bring to be run; a network and function
            steps that this job names itself need no word.
        task: what the scores are, where the label does not tell.
        preprocess: steps from columns to what the network takes; by default by the columns' types.
        gan: trains the network against a generator, on rows of the second label alone: it scores how
            much a row is like those, and not like any other.
        output: folder for the package; beside it go `OUTPUT.train.yaml`, `OUTPUT.job.yaml`,
            `OUTPUT.html` and `OUTPUT.held_out`.
        held_out: another folder for the test rows: `shards/`, of tables `shards_csv/`, and
            `labels.parquet`.
        shards: files that the held-out rows are written to.
        onnx: whether the package also holds the network as an ONNX graph, where it can be exported.
        report: whether `OUTPUT.html` is written.
    """

    name: Name | None = None
    version: Version | None = None
    from_package: Url | None = None
    refit: bool = False
    modules: Names = ()
    data: Data = Data()
    task: Literal["classification", "multi_label", "regression"] | None = None
    split: Split = Split()
    preprocess: tuple[StepT, ...] | None = None
    network: Network = Network()
    training: Training = Training()
    gan: Gan | None = None
    output: Url | None = None
    held_out: Url | None = None
    shards: Count = 4
    onnx: bool = True
    report: bool = True

    @field_validator("preprocess")
    @classmethod
    def _without_credentials(cls, steps: Steps | None) -> Steps | None:
        # None says that steps are chosen by the columns' types.
        if steps is None:
            return None
        return without_credentials_in_roots(steps)

    @model_validator(mode="after")
    def _goes_on_from_one_thing(self) -> "TrainingJob[StepT]":
        goes_on = self.from_package is not None
        if self.refit and not goes_on:
            raise ValueError("refit is for from_package, whose steps it fits again")
        if goes_on and self.network.builder is not None:
            raise ValueError("from_package and network.builder: the network is that of the package")
        return self

    @model_validator(mode="after")
    def _says_nothing_that_a_gan_does_not_use(self) -> "TrainingJob[StepT]":
        if self.gan is None:
            return self
        training = self.training
        fields = type(training).model_fields
        for name, field in fields.items():
            # The default may be written out: the job that a training leaves has every field.
            is_said = getattr(training, name) != field.default
            if is_said and name not in _OF_A_GAN:
                taken = ", ".join(_OF_A_GAN)
                raise ValueError(f"training.{name} is not used with gan, which takes {taken}")
        if self.from_package is not None:
            raise ValueError("gan and from_package: the generator of the package was not kept")
        return self
