"""A training job with the steps that there are, which `configs` does not know."""

from configs.training import TrainingJob
from model_zoo.steps.table import AnyStep

FittingJob = TrainingJob[AnyStep]
