"""The section `training` of a job -> how the loop trains, and what it makes small."""

from collections.abc import Sequence

import numpy as np

from configs.training import Training
from model_zoo.training.objective import Activation, Objective, Task
from model_zoo.training.recipe import Recipe


def make_recipe(training: Training) -> Recipe:
    """Return the recipe that the job says."""
    return Recipe(**training.model_dump())


def make_objective(
    training: Training,
    task: Task,
    activation: Activation,
    labels: Sequence[object],
    targets: np.ndarray,
) -> Objective:
    """Return what is learned.

    Args:
        training: the section of the job.
        task: what the scores are.
        activation: what makes probabilities of the network's outputs.
        labels: by class number; of label sets and of regressions, their names.
        targets: of the training rows, which tell how often each class comes.

    Raises:
        JobError: class weights that do not suit the labels.
    """
    return Objective(task, activation)
