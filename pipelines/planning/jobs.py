"""A scoring job with the steps, formats and engines that there are, which `configs` does not know."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator

from configs.job import Job
from model_zoo.engines.table import ENGINES
from model_zoo.evaluation.agreement import Threshold
from model_zoo.package.card import ModelCard
from model_zoo.steps.table import AnyStep
from transforms.formats.table import INPUT_FORMATS, OUTPUT_FORMATS
from transforms.score_columns import is_of_label_sets, list_thresholds
from transforms.scores.options import ScoreColumns
from transforms.summaries.table import check_summary_name

# No type checker reads a table.
if TYPE_CHECKING:
    InputFormat = str
    OutputFormat = str
    EngineName = str
    SummaryName = str
else:
    InputFormat = Literal[tuple(INPUT_FORMATS)]
    OutputFormat = Literal[tuple(OUTPUT_FORMATS)]
    EngineName = Literal["auto", *ENGINES]
    SummaryName = Annotated[str, AfterValidator(check_summary_name)]

ScoringJob = Job[AnyStep, InputFormat, OutputFormat, EngineName, SummaryName]


def choose_activation(job: ScoringJob, card: ModelCard) -> str:
    """Return what makes probabilities of the model's outputs.

    Args:
        job: the job.
        card: its model's.
    """
    wanted = job.postprocess.activation
    if wanted == "auto":
        return card.activation
    return wanted


def choose_threshold(job: ScoringJob, card: ModelCard) -> Threshold:
    """Return the probability from which on a row has a label; of each label where they differ.

    Args:
        job: the job.
        card: its model's.
    """
    wanted = job.postprocess
    activation = choose_activation(job, card)
    # The first output alone has labels.
    scores = next(iter(card.outputs.values()))
    if not wanted.thresholds or not is_of_label_sets(activation, scores.shape):
        return wanted.threshold
    labels = card.labels if wanted.labels is None else wanted.labels
    how = ScoreColumns(
        "sigmoid",
        labels,
        wanted.threshold,
        thresholds=wanted.thresholds,
    )
    return list_thresholds(how, scores.shape[0])
