"""A training job: data set, preprocessing to fit, network, and how to train it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.steps import Step

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
        missing: what a missing feature does when the model scores.
    """

    dataset: Literal["breast_cancer", "digits"]
    key: str
    label: str
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    missing: Literal["error", "reject"] = "error"


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
    """Optimiser, stopping, and the seed of everything random."""

    optimiser: Literal["sgd", "momentum", "adam"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    batch_rows: Count = 32
    epochs: Count = 200
    patience: Count = 20
    seed: int = 0


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
    output: str
    shards: Count = 4
