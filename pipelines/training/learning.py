"""A prepared network is trained, and judged on the parts that it has not learned from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from configs.errors import ModelError
from model_zoo.training.called_network import forward
from model_zoo.training.checkpoints import Checkpoints
from model_zoo.training.epoch import Epoch
from model_zoo.training.examples import Augment, Examples
from model_zoo.training.loop import train
from model_zoo.training.objective import Activation, Task
from pipelines.planning.jobs import FittingJob
from pipelines.training.adversaries import learn_adversaries
from pipelines.training.figures import Figures, Scored, measure, score_part
from pipelines.training.pictures import make_augment
from pipelines.training.preparing import Prepared
from pipelines.training.progress import Progress
from pipelines.training.recipe import make_objective, make_recipe
from pipelines.training.target_scale import TargetScale, find_last_layer, rescale

# Rows that tell whether a layer is the last.
_PROBED_ROWS = 64
_JUDGED = ("validation", "test")


@dataclass(frozen=True)
class Learned:
    """A network with the weights of its best epoch, and how good it is.

    Attributes:
        epochs: of the training.
        scored: validation and test, by name.
        figures: of the same.
        notes: what a person should know, in words.
    """

    epochs: tuple[Epoch, ...]
    scored: Mapping[str, Scored]
    figures: Mapping[str, Figures]
    notes: tuple[str, ...] = ()


def find_activation(task: Task, prepared: Prepared, labels: int) -> Activation:
    """Return what makes probabilities of the outputs.

    Args:
        task: what is learned.
        prepared: the network.
        labels: how many there are.

    Raises:
        ModelError: the network gives another number of numbers than there are to learn.
    """
    shapes = [tuple(tensor.shape) for tensor in prepared.outputs.values()]
    if len(shapes) != 1:
        raise ModelError(
            f"the network gives {list(prepared.outputs)}, and one output is learned; choose it by "
            "network.outputs"
        )
    (shape,) = shapes
    if task == "regression":
        wanted: list[tuple[int, ...]] = [()] if labels == 1 else [(labels,)]
        found: Activation = "none"
    elif task == "multi_label":
        wanted, found = [(labels,)], "sigmoid"
    else:
        wanted = [(labels,)] if labels > 2 else [(), (2,)]
        found = "softmax" if shape else "sigmoid"
    if shape not in wanted:
        raise ModelError(
            f"the network gives numbers of shape {list(shape)} a row, and its output does not suit the "
            f"loss of {labels} labels; set its size in network.parameters"
        )
    return found


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
    assert job.task is not None and job.network.activation is not None  # noqa: S101, PT018
    parts = {name: part.examples for name, part in prepared.parts.items()}
    notes: list[str] = []
    scale, layer = None, None
    if job.task == "regression":
        scale, layer = _find_scale(prepared, parts["training"])
        if layer is None:
            notes.append(
                "the labels are learned in their own units: no last layer of the network was found "
                "that could give them back"
            )
    if goes_on and layer is not None and scale is not None:
        rescale(prepared.network, layer, scale.invert())
    taught = _to_targets(parts, scale if layer is not None else None)
    objective = make_objective(
        job.training,
        job.task,
        job.network.activation,
        job.data.labels,
        taught["training"].targets,
    )
    if job.gan is not None:
        epochs = learn_adversaries(job, prepared, taught, progress.on_epoch)
    else:
        epochs = train(
            network=prepared.called,
            training=taught["training"],
            validation=taught["validation"],
            objective=objective,
            recipe=make_recipe(job.training),
            on_epoch=progress.on_epoch,
            checkpoints=checkpoints,
            augment=_find_augment(job, prepared),
            on_step=progress.on_step,
        )
    if layer is not None and scale is not None:
        rescale(prepared.network, layer, scale)
    scored = {name: _score(job, prepared, parts[name]) for name in _JUDGED}
    figures = {name: measure(job.task, job.data.labels, part) for name, part in scored.items()}
    return Learned(epochs, scored, figures, tuple(notes))


def _find_augment(job: FittingJob, prepared: Prepared) -> Augment | None:
    augmentation = job.training.augment
    if augmentation is None:
        return None
    packaging = prepared.packaging
    inputs = prepared.parts["training"].examples.inputs
    return make_augment(augmentation, packaging.preprocess, prepared.inputs, inputs)


def _find_scale(prepared: Prepared, training: Examples) -> tuple[TargetScale, str | None]:
    scale = TargetScale.of(training.targets)
    probed = {name: array[:_PROBED_ROWS] for name, array in training.inputs.items()}
    numbers = len(scale.mean)
    layer = find_last_layer(prepared.network, numbers, lambda: forward(prepared.called, probed))
    return scale, layer


def _to_targets(parts: Mapping[str, Examples], scale: TargetScale | None) -> dict[str, Examples]:
    """Return examples with targets as the loss takes them."""
    taught = {}
    for name, examples in parts.items():
        targets = examples.targets
        if scale is not None:
            targets = scale.standardise(targets)
        elif targets.dtype == np.float64:
            targets = targets.astype(np.float32)
        taught[name] = replace(examples, targets=targets)
    return taught


def _score(job: FittingJob, prepared: Prepared, examples: Examples) -> Scored:
    (outputs,) = forward(prepared.called, examples.inputs).values()
    return score_part(examples.targets, outputs, str(job.network.activation))
