"""All that a step of training changes: kept in checkpoints, and taken up from them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
import json
import time
from typing import Any

import torch
from torch import nn

from model_zoo.training.checkpoints import Checkpoints, Content, Origin, StateDict
from model_zoo.training.epoch import Epoch
from model_zoo.training.examples import Examples, digest_arrays, digest_examples
from model_zoo.training.objective import Objective
from model_zoo.training.recipe import Recipe

# What the names of a checkpoint's tensors begin with.
_NETWORK = "network/"
_BEST = "best/"
_OPTIMISER = "optimiser/"


@dataclass
class Progress:
    """How far an epoch is.

    Attributes:
        steps: that it has made.
        total_loss: sum of the losses of its rows, each times its weight.
        weight: sum of these weights.
        learning_rate: of its last step.
        seconds: that it took before it was stopped.
        began: when it began here, by the clock; a checkpoint holds none.
    """

    steps: int
    total_loss: float
    weight: float
    learning_rate: float
    seconds: float
    began: float

    @property
    def mean_loss(self) -> float:
        return self.total_loss / self.weight

    def stop_clock(self) -> float:
        """Return the seconds that it took, here and before it was stopped."""
        return self.seconds + time.monotonic() - self.began


def make_progress() -> Progress:
    """Return that of an epoch which begins now."""
    return Progress(
        steps=0, total_loss=0.0, weight=0.0, learning_rate=0.0, seconds=0.0, began=time.monotonic()
    )


class Resuming:
    """What a step changes, and the checkpoints that hold it.

    Args:
        checkpoints: None to keep none.
        origin: what the training is of.
        network: on its device.
        optimiser: of its weights.
        scaler: of float16's gradients.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        origin: Origin,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
    ) -> None:
        self.optimiser = optimiser
        self.scaler = scaler
        self.best_weights: StateDict = {}
        self._checkpoints = checkpoints
        self._origin = origin
        self._network = network
        self._written = 0.0

    def resume(self) -> tuple[list[Epoch], Progress]:
        """Take up what a checkpoint holds, and return the epochs and how far the next one is.

        Raises:
            JobError: it is of another training.
            InputError: it is damaged.
        """
        # Of a training without an epoch, the weights that it began with.
        self.keep_best()
        if self._checkpoints is None:
            return [], make_progress()
        self._written = self._checkpoints.clock()
        content = self._checkpoints.read(self._origin)
        if content is None:
            return [], make_progress()
        tensors = content.tensors
        self._network.load_state_dict(_take(tensors, _NETWORK))
        self.best_weights = _take(tensors, _BEST)
        self._load_optimiser(_take(tensors, _OPTIMISER))
        fields = content.progress
        self.scaler.load_state_dict(fields["scaler"])
        epochs = [Epoch(**epoch) for epoch in fields["epochs"]]
        progress = Progress(**fields["epoch"], began=time.monotonic())
        return epochs, progress

    def keep_best(self) -> None:
        """Keep the weights that the network has now as the best ones."""
        for name, tensor in self._network.state_dict().items():
            # Copies, and not on a device that has little memory: the next step changes weights in
            # place.
            self.best_weights[name] = tensor.detach().to("cpu", copy=True)

    def keep(
        self,
        epochs: Sequence[Epoch],
        progress: Progress,
        within_epoch: bool,
        is_last: bool = False,
    ) -> None:
        """Write a checkpoint if one is due.

        Args:
            epochs: that are over.
            progress: of the one that goes on.
            within_epoch: whether it has made a step.
            is_last: whether there will be no further one; then one is written whatever the time.
        """
        checkpoints = self._checkpoints
        if checkpoints is None:
            return
        if not is_last and not checkpoints.is_due(self._written, within_epoch):
            return
        tensors: StateDict = {}
        parts = {
            _NETWORK: self._network.state_dict(),
            _BEST: self.best_weights,
            _OPTIMISER: self._list_numbers(),
        }
        for prefix, of_part in parts.items():
            for name, tensor in of_part.items():
                tensors[prefix + name] = tensor
        checkpoints.write(self._origin, Content(self._describe(epochs, progress), tensors))
        self._written = checkpoints.clock()

    def _describe(
        self,
        epochs: Sequence[Epoch],
        progress: Progress,
    ) -> dict[str, Any]:
        of_epoch = asdict(progress)
        of_epoch["seconds"] = progress.stop_clock()
        # A clock's time means nothing to another process.
        del of_epoch["began"]
        return {
            "epochs": [asdict(epoch) for epoch in epochs],
            "epoch": of_epoch,
            "scaler": self.scaler.state_dict(),
        }

    def _list_numbers(self) -> StateDict:
        """Return the optimiser's numbers, under the number of the weight that they belong to."""
        numbers = {}
        for index, of_weight in self.optimiser.state_dict()["state"].items():
            for name, value in of_weight.items():
                # What is no tensor is None: SGD without momentum.
                if isinstance(value, torch.Tensor):
                    numbers[f"{index}/{name}"] = value
        return numbers

    def _load_optimiser(self, numbers: StateDict) -> None:
        state: dict[int, StateDict] = {}
        for name, tensor in numbers.items():
            index, _, what = name.partition("/")
            of_weight = state.setdefault(int(index), {})
            of_weight[what] = tensor
        settings = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": settings})


def describe_origin(
    network: nn.Module,
    training: Examples,
    validation: Examples,
    objective: Objective,
    recipe: Recipe,
) -> dict[str, str]:
    """Return what makes a training this one, by words for people.

    Args:
        network: with the weights that training begins with.
        training, validation, objective, recipe: as for `train`.
    """
    weights = {}
    for name, tensor in network.state_dict().items():
        # As bytes: numpy has no bfloat16.
        flat = tensor.detach().contiguous().reshape(-1)
        shape = tuple(tensor.shape)
        as_bytes = flat.view(torch.uint8)
        weights[f"{name} {tensor.dtype} {shape}"] = as_bytes.numpy()
    return {
        "version of torch": torch.__version__,
        "network": digest_arrays(weights),
        "training rows": digest_examples(training),
        "validation rows": digest_examples(validation),
        "objective": json.dumps(asdict(objective)),
        "recipe": json.dumps(asdict(recipe)),
    }


def _take(
    tensors: StateDict,
    prefix: str,
) -> StateDict:
    taken = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            taken[name.removeprefix(prefix)] = tensor
    return taken
