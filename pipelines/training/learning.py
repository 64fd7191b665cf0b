"""A prepared network is trained, and judged on the parts that it has not learned from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.training.called_network import forward
from model_zoo.training.checkpoints import Checkpoints
from model_zoo.training.epoch import Epoch
from model_zoo.training.examples import Augment, Examples
from model_zoo.training.loop import train
from model_zoo.training.objective import Activation, Task
from pipelines.training.adversaries import learn_adversaries
from pipelines.training.figures import Scored, measure, score_part
from pipelines.training.fitting_job import FittingJob
from pipelines.training.learned import Learned
from pipelines.training.pictures import make_augment
from pipelines.training.prepared import Prepared
from pipelines.training.progress import Progress
from pipelines.training.recipe import make_objective, make_recipe
from pipelines.training.target_scale import TargetScale, find_last_layer, rescale

# Rows that tell whether a layer is the last.
_PROBED_ROWS = 64
Shape: TypeAlias = tuple[int, ...]
_JUDGED = ("validation", "test")


def find_activation(task: Task, prepared: Prepared, labels: int) -> Activation:
    """Return what makes probabilities of the outputs.

    Args:
        task: what is learned.
        prepared: the network.
        labels: how many there are.

    Raises:
        ModelError: the network gives another number of numbers than there are to learn.
    """
    outputs = prepared.outputs
    if len(outputs) != 1:
        names = list(outputs)
        raise ModelError(
            f"the network gives {names}, and one output is learned; choose it by network.outputs"
        )
    (tensor,) = outputs.values()
    shape = tuple(tensor.shape)
    if shape not in _list_suitable(task, labels):
        found = list(shape)
        raise ModelError(
            f"the network gives numbers of shape {found} a row, and its output does not suit the "
            f"loss of {labels} labels; set its size in network.parameters"
        )
    if task == "regression":
        return "none"
    # A bare number for a row tells both of two classes.
    if task == "multi_label" or not shape:
        return "sigmoid"
    return "softmax"


def _list_suitable(task: Task, labels: int) -> list[Shape]:
    """Return the shapes of a row that suit a task.

    Args:
        task: what is learned.
        labels: how many there are.
    """
    one_each = (labels,)
    if task == "multi_label":
        return [one_each]
    if task == "regression":
        return [()] if labels == 1 else [one_each]
    # Of two classes one number tells both.
    return [one_each] if labels > 2 else [(), (2,)]


def learn(
    job: FittingJob,
    prepared: Prepared,
    progress: Progress,
    checkpoints: Checkpoints,
    goes_on: bool = False,
) -> Learned:
    """Train the network in place.

    Args:
        job: complete.
        prepared: the network, and its rows.
        progress: is told of each epoch and step.
        checkpoints: where a training that was stopped goes on from.
        goes_on: whether the network is trained already, and gives numbers in their own units.

    Raises:
        ModelError: the network does not suit the rows, or its loss is not finite.
    """
    task = job.task
    activation = job.network.activation
    assert task is not None and activation is not None  # noqa: S101, PT018
    labels = job.data.labels
    parts = {name: part.examples for name, part in prepared.parts.items()}
    notes: list[str] = []
    found = None
    if task == "regression":
        found = _find_scale(prepared, parts["training"])
        if found is None:
            notes.append(
                "the labels are learned in their own units: no last layer of the network was found "
                "that could give them back"
            )
    scale = None
    if found is not None:
        scale = found.scale
        if goes_on:
            # Back to mean 0 and deviation 1, in which the loss sees numbers.
            rescale(prepared.network, found.layer, scale.invert())
    taught = _to_targets(parts, scale)
    epochs = _train(job, prepared, taught, progress, checkpoints, task, activation)
    if found is not None:
        rescale(prepared.network, found.layer, found.scale)

    scored = {}
    figures = {}
    for name in _JUDGED:
        scored[name] = _score(job, prepared, parts[name])
        figures[name] = measure(task, labels, scored[name])
    return Learned(epochs, scored, figures, tuple(notes))


def _train(
    job: FittingJob,
    prepared: Prepared,
    taught: Mapping[str, Examples],
    progress: Progress,
    checkpoints: Checkpoints,
    task: Task,
    activation: Activation,
) -> tuple[Epoch, ...]:
    """Train the network in place, by its loss or against an adversary.

    Args:
        job: complete.
        prepared: the network.
        taught: examples by part, with targets as the loss takes them.
        progress: is told of each epoch and step.
        checkpoints: where a training that was stopped goes on from.
        task: what is learned.
        activation: what makes probabilities of outputs.
    """
    training = taught["training"]
    # Made for both: what the job cannot have is refused here.
    objective = make_objective(
        job.training,
        task,
        activation,
        labels=job.data.labels,
        targets=training.targets,
    )
    if job.gan is not None:
        return learn_adversaries(job, prepared, taught, progress.on_epoch)
    return train(
        network=prepared.called,
        training=training,
        validation=taught["validation"],
        objective=objective,
        recipe=make_recipe(job.training),
        on_epoch=progress.on_epoch,
        checkpoints=checkpoints,
        augment=_find_augment(job, prepared),
        on_step=progress.on_step,
    )


def _find_augment(job: FittingJob, prepared: Prepared) -> Augment | None:
    augmentation = job.training.augment
    if augmentation is None:
        return None
    packaging = prepared.packaging
    inputs = prepared.parts["training"].examples.inputs
    return make_augment(augmentation, packaging.preprocess, prepared.inputs, inputs)


@dataclass(frozen=True)
class _Scaled:
    """Where the numbers of a regression are given back in their own units.

    Attributes:
        layer: name of the network's last one.
        scale: of the targets.
    """

    layer: str
    scale: TargetScale


def _find_scale(prepared: Prepared, training: Examples) -> _Scaled | None:
    """Return where numbers are scaled back; None where no layer of the network could do it."""
    scale = TargetScale.of(training.targets)
    inputs = training.inputs
    probed = {name: array[:_PROBED_ROWS] for name, array in inputs.items()}

    def compute_probed() -> Arrays:
        return forward(prepared.called, probed)

    numbers = len(scale.mean)
    layer = find_last_layer(prepared.network, numbers, compute_probed)
    if layer is None:
        return None
    return _Scaled(layer, scale)


def _to_targets(
    parts: Mapping[str, Examples],
    scale: TargetScale | None,
) -> dict[str, Examples]:
    """Return examples with targets as the loss takes them."""
    taught = {}
    for name, examples in parts.items():
        targets = examples.targets
        if scale is not None:
            targets = scale.standardise(targets)
        # Networks compute in float32; class numbers stay whole.
        elif targets.dtype == np.float64:
            targets = targets.astype(np.float32)
        taught[name] = replace(examples, targets=targets)
    return taught


def _score(job: FittingJob, prepared: Prepared, examples: Examples) -> Scored:
    by_name = forward(prepared.called, examples.inputs)
    (outputs,) = by_name.values()
    activation = str(job.network.activation)
    return score_part(examples.targets, outputs, activation)
