"""What a job fills itself: its own `fill` steps settle a missing value before the model's contract does."""

from collections.abc import Sequence

from configs.errors import JobError
from model_zoo.package.card import InputColumn
from model_zoo.steps.columns import Scalar
from model_zoo.steps.fill import Fill
from model_zoo.steps.step import StepModel


def with_job_fills(
    contract: Sequence[InputColumn],
    job_steps: Sequence[StepModel],
) -> tuple[InputColumn, ...]:
    """Return a contract that leaves to the job's steps what these fill.

    Otherwise a row would be rejected for a value that the job says how to fill.

    Args:
        contract: every model column, as the card states it.
        job_steps: the job's own, without those of the package.
    """
    filled = _list_fills(job_steps)
    rules = []
    for rule in contract:
        if rule.name in filled:
            rule = rule.model_copy(update={"missing": "fill", "fill": None})
        rules.append(rule)
    return tuple(rules)


def list_job_fills(
    contract: Sequence[InputColumn],
    job_steps: Sequence[StepModel],
) -> tuple[str, ...]:
    """Return the columns that the job fills, and the contract does not.

    Args:
        contract: every model column, as the card states it.
        job_steps: the job's own, without those of the package.

    Raises:
        JobError: all columns that the contract fills with another value than the job.
    """
    filled = _list_fills(job_steps)
    here = []
    problems = []
    for rule in contract:
        if rule.name not in filled:
            continue
        if rule.missing != "fill":
            here.append(rule.name)
        elif rule.fill is not None and rule.fill != filled[rule.name]:
            problems.append(repr(rule.name))
    if problems:
        raise JobError(
            f"preprocess.steps fill: the model's contract fills {', '.join(problems)} with another "
            "value, which it was trained with; leave the column out of the step, or pack the model "
            "with that value"
        )
    return tuple(here)


def _list_fills(steps: Sequence[StepModel]) -> dict[str, Scalar]:
    """Return the columns that steps fill, with the value of the first step that does."""
    filled: dict[str, Scalar] = {}
    for step in steps:
        if not isinstance(step, Fill):
            continue
        for name, value in zip(step.columns, step.values or (), strict=True):
            filled.setdefault(name, value)
    return filled
