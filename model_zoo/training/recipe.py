"""The choices of training, as plain numbers and words."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Optimiser: TypeAlias = Literal["sgd", "momentum", "adam", "adamw"]
Schedule: TypeAlias = Literal["constant", "step", "cosine", "one_cycle", "plateau"]
Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Recipe:
    """The choices that decide how a network is trained.

    Attributes:
        optimiser: plain SGD, SGD with momentum, or Adam with decoupled weight decay (Loshchilov and
            Hutter, 2019), which both `adam` and `adamw` mean.
        learning_rate: the highest that a schedule goes to.
        batch_rows: rows of a mini-batch.
        epochs: at most.
        patience: epochs without a lower validation loss after which training stops.
        seed: of the order of rows, of dropout and of augmentation; of fresh weights, too.
        momentum: of optimiser `momentum`.
        schedule: how the learning rate changes: not at all; by `decay` every `step_epochs`; down to 0
            along half a cosine; up and down once, changing with every mini-batch; by `decay` after
            `plateau_epochs` without a lower validation loss.
        warm_up_epochs: in which the learning rate grows evenly to where the schedule begins.
        clip_norm: length that all gradients together have at most.
        accumulate: mini-batches whose gradients make one step.
        precision: in which layers compute; weights stay float32.
        device: `cpu`, `cuda`, `cuda:<number>`, or `auto`.
        threads: of a CPU that compute; another number of them rounds differently.
        train_only: patterns of the names of weights that change, `head.*` for example; by default all.
    """

    optimiser: Optimiser = "adam"
    learning_rate: float = 1e-3
    batch_rows: int = 32
    epochs: int = 200
    patience: int = 20
    seed: int = 0
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    warm_up_epochs: int = 0
    decay: float = 0.1
    step_epochs: int = 30
    plateau_epochs: int = 5
    clip_norm: float | None = None
    accumulate: int = 1
    precision: Precision = "float32"
    device: str = "cpu"
    threads: int = 1
    train_only: tuple[str, ...] = ()
