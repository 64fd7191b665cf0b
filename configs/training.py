"""A training job: data set, preprocessing to fit, network, and how to train it."""

from typing import Annotated, Any, Generic, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.job import Count, StepT, Url

Fraction = Annotated[float, Field(gt=0, lt=1)]
Scalar = bool | int | float | str


class _Section(BaseModel):
    # An unknown key is a misspelt one, and what it was meant to say would be lost in silence.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(_Section):
    """Which bundled data set, and what its columns are.

    Attributes:
        key: column that names a row.
        label: column to predict.
        labels: its values by class number; for two, [negative, positive].
        features: columns that the model sees, in this order; by default all others.
        missing: what a missing feature does when the model scores.
        fill: features whose missing values are replaced instead, each with its value.
    """

    dataset: Literal["breast_cancer", "digits"]
    key: str
    label: str
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    features: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    missing: Literal["error", "reject"] = "error"
    fill: dict[str, Scalar] = {}

    @model_validator(mode="after")
    def _names_fit_together(self) -> "Data":
        for what, names in (("labels", self.labels), ("features", self.features or ())):
            doubles = sorted(name for name in names if names.count(name) > 1)
            if doubles:
                raise ValueError(f"{what} holds {doubles[0]!r} twice")
        # By default the features are all columns but these two, and any of those may be filled.
        if self.features is None:
            return self
        hidden = {self.key, self.label} & set(self.features)
        if hidden:
            raise ValueError(
                f"features must not hold {hidden.pop()!r}: "
                "a model that sees key or label learns nothing"
            )
        unknown = set(self.fill) - set(self.features)
        if unknown:
            raise ValueError(f"fill names {unknown.pop()!r}, which is not one of features")
        return self


class Split(_Section):
    """Fractions of the rows, stratified by label; `train` is what remains."""

    validation: Fraction = 0.15
    test: Fraction = 0.25

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> "Split":
        held_out = self.validation + self.test
        if held_out >= 1:
            raise ValueError(f"validation + test must be < 1, got {held_out:g}")
        return self


class Network(_Section):
    """Which network, and what it takes and gives.

    Attributes:
        builder, parameters: as a model card names them.
        inputs: names of arrays that preprocessing makes.
        activation: what makes probabilities of its logits.
    """

    builder: str
    parameters: dict[str, Any]
    inputs: Annotated[tuple[str, ...], Field(min_length=1)]
    activation: Literal["sigmoid", "softmax"]


class Training(_Section):
    """Optimiser, stopping, and the seed of everything random.

    Attributes:
        momentum: of optimiser `momentum`.
        weight_decay: decoupled for `adam` (AdamW).
        patience: epochs without a lower validation loss after which training stops; the best
            weights are kept.
    """

    optimiser: Literal["sgd", "momentum", "adam"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    batch_rows: Count = 32
    epochs: Count = 200
    patience: Count = 20
    # What numpy's generators take.
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


class TrainingJob(_Section, Generic[StepT]):
    """A whole training job.

    Attributes:
        output: folder for `model/`, `shards/`, `labels.parquet`, and for tables `shards_csv/`.
        shards: files that the held-out rows are written to.
    """

    # It becomes the model's name, and so part of file names and log lines.
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    version: str
    data: Data
    split: Split = Split()
    preprocess: tuple[StepT, ...]
    network: Network
    training: Training = Training()
    output: Url
    shards: Count = 4
