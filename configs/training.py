"""A training job: data set, preprocessing to fit, network, and how to train it."""

from typing import Annotated, Any, Generic, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.job import Count, Name, Names, StepT, Url, Version
from configs.missing import Missing, list_exceptions, refuse_contradictions
from configs.recipe import Training

Fraction: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
SomeNames: TypeAlias = Annotated[Names, Field(min_length=1)]
Scalar: TypeAlias = bool | int | float | str


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
        missing: what a missing feature does when the model scores: `reject` its row, stop with an
            `error` (the default), or `fill` where a step fills it; a word for all features, or words
            by feature and one for all others, `{default: fill, age: reject}`. What a `fill` step
            fills needs no word. Training takes no row with a missing feature that nothing fills.
        fill: features whose missing values are replaced instead, each with its value.
    """

    dataset: Literal["breast_cancer", "digits"]
    key: str
    label: str
    labels: Names = Field(min_length=2)
    features: SomeNames | None = None
    missing: Missing = {}
    fill: dict[str, Scalar] = {}

    @model_validator(mode="after")
    def _names_fit_together(self) -> "Data":
        _refuse_doubles("labels", self.labels)
        refuse_contradictions(self.missing, self.fill)
        # By default the features are all columns but key and label, and any of those may be filled.
        if self.features is None:
            return self
        _refuse_doubles("features", self.features)
        features = set(self.features)
        hidden = features & {self.key, self.label}
        if hidden:
            raise ValueError(
                f"features must not hold {hidden.pop()!r}: "
                "a model that sees key or label learns nothing"
            )
        named = {"fill": list(self.fill), "missing": list_exceptions(self.missing)}
        for field, names in named.items():
            for name in names:
                if name not in features:
                    raise ValueError(f"{field} names {name!r}, which is not one of features")
        return self


def _refuse_doubles(what: str, names: Names) -> None:
    for name in sorted(names):
        if names.count(name) > 1:
            raise ValueError(f"{what} holds {name!r} twice")


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
    inputs: SomeNames
    activation: Literal["sigmoid", "softmax"]


class TrainingJob(_Section, Generic[StepT]):
    """A whole training job.

    Attributes:
        output: folder for `model/`, `shards/`, `labels.parquet`, and for tables `shards_csv/`.
        shards: files that the held-out rows are written to.
    """

    # It becomes the model's.
    name: Name
    version: Version
    data: Data
    split: Split = Split()
    preprocess: tuple[StepT, ...]
    network: Network
    training: Training = Training()
    output: Url
    shards: Count = 4
