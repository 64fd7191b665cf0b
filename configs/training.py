"""A training job: data set, preprocessing to fit, network, and how to train it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.job import Url
from configs.steps import Scalar, Step

Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
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
            if doubles := sorted({n for n in names if names.count(n) > 1}):
                raise ValueError(f"{what} holds {doubles[0]!r} twice")
        if self.features is not None and (hidden := {self.key, self.label} & set(self.features)):
            raise ValueError(f"features must not hold {hidden.pop()!r}: a model that sees key or label learns nothing")
        if self.features is not None and (unknown := set(self.fill) - set(self.features)):
            raise ValueError(f"fill names {unknown.pop()!r}, which is not one of features")
        return self


class Split(_Section):
    """Fractions of the rows, stratified by label; `train` is what remains."""

    validation: Fraction = 0.15
    test: Fraction = 0.25

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError(f"validation + test must be < 1, got {self.validation + self.test:g}")
        return self


class Network(_Section):
    """Builder and parameters of the network, which of the preprocessed columns it takes, and what its logits are.

    `inputs` are names of arrays that preprocessing makes.
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
        patience: epochs without a lower validation loss after which training stops; the best weights are kept.
    """

    optimiser: Literal["sgd", "momentum", "adam"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    batch_rows: Count = 32
    epochs: Count = 200
    patience: Count = 20
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0  # what numpy's generators take


class TrainingJob(_Section):
    """A whole training job.

    Attributes:
        output: folder for `model/`, `shards/`, `labels.parquet`, and for tables `shards_csv/`.
        shards: files that the held-out rows are written to.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    version: str
    data: Data
    split: Split = Split()
    preprocess: tuple[Step, ...]
    network: Network
    training: Training = Training()
    output: Url
    shards: Count = 4
