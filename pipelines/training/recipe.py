"""The section `training` of a job -> how the loop trains, and what it makes small."""

from collections.abc import Sequence

import numpy as np

from configs.errors import JobError
from configs.recipe import Training
from configs.suggest import nearest
from model_zoo.training.objective import Activation, Objective, Task, balance, balance_labels
from model_zoo.training.recipe import Recipe

_DEFAULT_LOSS = Training().loss


def make_recipe(training: Training) -> Recipe:
    """Return the recipe that the job says."""
    return Recipe(**training.list_choices())


def make_objective(
    training: Training,
    task: Task,
    activation: Activation,
    labels: Sequence[object],
    targets: np.ndarray,
    output: str | None = None,
) -> Objective:
    """Return what is learned.

    Args:
        training: the section of the job.
        task: what the scores are.
        activation: what makes probabilities of the network's outputs.
        labels: by class number; of label sets and of regressions, their names.
        targets: of the training rows, which tell how often each class comes.
        output: name of the network's output that is learned, where it has several.

    Raises:
        JobError: a loss or class weights that do not suit the task or the labels.
    """
    if task != "regression" and training.loss != _DEFAULT_LOSS:
        raise JobError(
            f"training.loss is {training.loss}, which only a regression has; leave it out"
        )
    # YAML and Arrow have other types for one label.
    names = [_to_name(label) for label in labels]
    weights = _list_weights(
        training,
        task,
        names,
        targets,
    )
    # A sigmoid's one logit is of two classes, and its shape tells.
    classes = len(names) if activation == "softmax" else None
    return Objective(
        task,
        activation,
        weights,
        training.loss,
        output,
        classes,
    )


def _list_weights(
    training: Training,
    task: Task,
    names: Sequence[str],
    targets: np.ndarray,
) -> tuple[float, ...]:
    wanted = training.class_weights
    if wanted is None:
        return ()
    if task == "regression":
        raise JobError(
            "training.class_weights are of classes, and this is a regression; leave them out"
        )
    # Said in so many words, they need no rows.
    if wanted != "balanced":
        by_name = {_to_name(name): weight for name, weight in wanted.items()}
        return _by_label(by_name, names)
    if task == "multi_label":
        present = (targets > 0).any(axis=0)
    else:
        class_numbers = targets.astype(np.int64)
        counts = np.bincount(class_numbers, minlength=len(names))
        present = counts > 0
    absent = np.flatnonzero(~np.asarray(present)).tolist()
    missing = [names[number] for number in absent]
    if missing:
        raise JobError(
            f"training.class_weights cannot be balanced: no training row has {', '.join(missing)}; "
            "say a weight for each label, or leave such labels out"
        )
    return balance_labels(targets) if task == "multi_label" else balance(targets, len(names))


def _to_name(label: object) -> str:
    # As labels of truth values are called; YAML reads a bare yes and true so.
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)


def _by_label(
    weights: dict[str, float],
    names: Sequence[str],
) -> tuple[float, ...]:
    """Return the weights in the order of the labels.

    Raises:
        JobError: a label without a weight, or a weight of no label; all of them.
    """
    problems = []
    for name in weights:
        if name not in names:
            hint = nearest(name, names)
            problems.append(f"{name!r} is no label{hint}")
    missing = [name for name in names if name not in weights]
    if missing:
        problems.append(f"there is no weight for {', '.join(missing)}")
    if problems:
        raise JobError(f"training.class_weights: {'; '.join(problems)}")
    return tuple(weights[name] for name in names)
