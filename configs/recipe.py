"""How a network is trained: the section `training` of a training job."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.augmentation import Augmentation
from configs.fields import AnyNames, Count

Share: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Weight: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# As YAML may say it.
ClassName: TypeAlias = bool | int | str
ClassWeights: TypeAlias = Literal["balanced"] | dict[ClassName, Weight]
# Settings that mean something for some choices alone: which setting, which field, which choices.
_ONLY_FOR = (
    ("momentum", "optimiser", ("momentum",)),
    ("decay", "schedule", ("step", "plateau")),
    ("step_epochs", "schedule", ("step",)),
    ("plateau_epochs", "schedule", ("plateau",)),
    # It has a warm-up of its own.
    ("warm_up_epochs", "schedule", ("constant", "step", "cosine", "plateau")),
)


class Training(BaseModel):
    """Optimiser, learning rate, stopping, loss, and the seed of everything random.

    Attributes:
        optimiser: `sgd`; `momentum`; or `adam`, with the decoupled weight decay of AdamW, which is
            another name of it.
        learning_rate: the highest that the schedule goes to.
        momentum: of optimiser `momentum`.
        weight_decay: decoupled for `adam`.
        schedule: how the learning rate changes: `constant`; `step`, times `decay` every
            `step_epochs`; `cosine`, down to 0 at the last epoch; `one_cycle`, up and down once;
            `plateau`, times `decay` after `plateau_epochs` without a lower validation loss.
        warm_up_epochs: in which the learning rate grows evenly to where the schedule begins.
        batch_rows: rows of a mini-batch.
        accumulate: mini-batches whose gradients make one step, as if they were one mini-batch.
        clip_norm: length that all gradients together have at most.
        epochs: at most.
        patience: epochs without a lower validation loss after which training stops; the best
            weights are kept.
        loss: of a regression: `squared`, `absolute`, or `huber`, the first up to an error of 1 and
            the second beyond.
        class_weights: `balanced`, so that each class counts as much as any other however rare it is;
            or by label; of label sets, how much it counts that a row has the label.
        precision: `float32`; or `bfloat16` or, on CUDA devices, `float16` for layers that multiply
            matrices; weights, losses and validation stay float32.
        device: `cpu`, `cuda` or `auto` (the first CUDA device, the latter only if there is one), or
            `cuda:1`. On a CPU the same seed gives the same bits; on CUDA not always.
        threads: of a CPU that compute; large networks are faster with several, and another number of
            them gives other last digits.
        train_only: patterns of names of weights, `head.*` for example; all others stay as they are.
        augment: how pictures are varied in training.
        seed: of fresh weights, of the order of rows, of dropout and of augmentation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optimiser: Literal["sgd", "momentum", "adam", "adamw"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "step", "cosine", "one_cycle", "plateau"] = "constant"
    warm_up_epochs: int = Field(default=0, ge=0)
    decay: Share = 0.1
    step_epochs: Count = 30
    plateau_epochs: Count = 5
    batch_rows: Count = 32
    accumulate: Count = 1
    clip_norm: float | None = Field(default=None, gt=0)
    epochs: Count = 200
    patience: Count = 20
    loss: Literal["squared", "huber", "absolute"] = "squared"
    class_weights: ClassWeights | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda|cuda:\d+|auto)$")
    threads: Count = 1
    train_only: AnyNames = ()
    augment: Augmentation | None = None
    # What numpy's generators take.
    seed: int = Field(default=0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _says_nothing_in_vain(self) -> "Training":
        fields = type(self).model_fields
        for setting, field, choices in _ONLY_FOR:
            value = getattr(self, setting)
            choice = getattr(self, field)
            # The default may be written out: the job that a training leaves has every field.
            default = fields[setting].default
            is_said = value != default
            if is_said and choice not in choices:
                listed = " or ".join(choices)
                raise ValueError(
                    f"{setting} is {value}, which {field} {choice} does not use; "
                    f"leave it out, or say {field}: {listed}"
                )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> "Training":
        if self.warm_up_epochs >= self.epochs:
            raise ValueError(
                f"warm_up_epochs must be < epochs, {self.epochs}, got {self.warm_up_epochs}"
            )
        if self.precision == "float16" and self.device == "cpu":
            raise ValueError(
                "precision float16 needs a CUDA device: say device: cuda, or precision: bfloat16"
            )
        return self

    def list_choices(self) -> dict[str, Any]:
        """Return what the loop is told: all but what makes the loss, and varies pictures."""
        return self.model_dump(exclude={"loss", "class_weights", "augment"})
