"""The table of steps: a new one is a file in this folder, an import, and its name in a union below."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Annotated, TypeAlias

from pydantic import Field, TypeAdapter

from configs.errors import Refusal, RejectedRows
from model_zoo.piece_watch import run_watched
from model_zoo.steps.cast import Cast
from model_zoo.steps.column_wise import plan_columns
from model_zoo.steps.columns import Column, Columns, NewColumns, to_arrow_type
from model_zoo.steps.date_parts import DateParts
from model_zoo.steps.encode import OneHot, Ordinal
from model_zoo.steps.fill import Fill
from model_zoo.steps.function import Function
from model_zoo.steps.graph import Graph
from model_zoo.steps.image import Image
from model_zoo.steps.load_file import LoadFile
from model_zoo.steps.pad import Pad
from model_zoo.steps.pca import Pca
from model_zoo.steps.scale import Scale, Standardise
from model_zoo.steps.select import Select
from model_zoo.steps.stack import Stack
from model_zoo.steps.target import Target
from model_zoo.steps.text_bytes import TextBytes
from model_zoo.steps.tokenize import Tokenize

# Training may fit them; the others are complete as a job writes them.
FittedStep = Fill | Scale | Standardise | OneHot | Ordinal | Select | Pca | Tokenize
PlainStep = Cast | DateParts | Stack | Pad | Graph | LoadFile | Image | TextBytes | Function
AnyStep = Annotated[FittedStep | PlainStep, Field(discriminator="step")]
Steps: TypeAlias = tuple[AnyStep, ...]
STEPS: TypeAdapter[Steps] = TypeAdapter(Steps)
# Gives a block to run a step in, which counts its time as that of a stage.
Clock = Callable[[str], AbstractContextManager[object]]


def _count_nothing(_: str) -> AbstractContextManager[object]:
    return nullcontext()


def apply_steps(
    steps: Sequence[AnyStep],
    columns: Columns,
    rows: int,
    clock: Clock = _count_nothing,
    timeout_seconds: float | None = None,
    wanted: Collection[str] | None = None,
) -> NewColumns:
    """Apply steps in order.

    Args:
        steps: complete ones.
        columns: Arrow arrays of `rows` values, or numpy arrays (rows, ...), by name.
        rows: their number.
        clock: called with the stage of each step.
        timeout_seconds: the longest time that one picture, or some texts, may take; None for any.
        wanted: the columns that are asked for; None for all.

    Returns:
        All columns, with those that the steps replaced or added; others than `wanted` may be as they
        were.

    Raises:
        RejectedRows, JobError, InputError: as `Step.apply`.
        WorkerError: a picture or text took too long.
    """
    apply_each = partial(_apply_each, rows=rows, clock=clock, timeout_seconds=timeout_seconds)
    plan = None
    # Whoever asks for all gets each as the last step left it.
    if wanted is not None:
        plan = plan_columns(tuple(steps), wanted)
    if plan is None:
        return apply_each(steps, columns)
    result = apply_each(plan.before, columns)
    # Of several faults that is told of which the steps find first, one after the other.
    with suppress(RejectedRows, Refusal), clock(plan.stack.stage):
        return result | plan.apply(result, rows)
    return apply_each((*plan.steps, plan.stack), result)


def _apply_each(
    steps: Sequence[AnyStep],
    columns: Columns,
    rows: int,
    clock: Clock,
    timeout_seconds: float | None,
) -> NewColumns:
    result = dict(columns)
    for step in steps:
        work = partial(step.apply, result, rows)
        with clock(step.stage):
            # Other steps are arithmetic on columns, which ends, or a user's own code.
            if timeout_seconds is None or step.stage != "decode":
                made = work()
            else:
                made = run_watched(work, timeout_seconds, f"preprocess step {step.step}")
            result.update(made)
    return result


def find_widest(steps: Sequence[AnyStep], columns: Sequence[str]) -> int:
    """Return the most numbers of a row that there are at a time, as the steps themselves say.

    Args:
        steps: complete ones; those of a user's function are not counted, as nobody knows them.
        columns: names of columns of one number each.
    """
    widths = dict.fromkeys(columns, 1)
    widest = len(widths)
    for step in steps:
        made = step.count_numbers(widths)
        widths.update(made)
        # Columns stay until the last step: all of them are there at a time.
        numbers = sum(widths.values())
        widest = max(widest, numbers)
    return widest


def fit_steps(
    steps: Sequence[AnyStep],
    columns: Mapping[str, Column],
    rows: int,
    target: Target | None = None,
) -> tuple[Steps, NewColumns]:
    """Fit steps in order, each on the columns as the steps before it left them.

    A step that is fitted already stays as it is. A word in place of a step's columns stands for
    those that are given here, and for none that steps add. The function that applies them is the one that
    scoring uses.

    Args:
        steps: fitted ones and others.
        columns: training columns of `rows` values, by name.
        rows: their number.
        target: what is to be predicted of these rows; None where nobody knows it.

    Returns:
        The fitted steps (plain Python values), and all columns as the last step left them.

    Raises:
        JobError, InputError: as `Step.fit_to_target`.
        RejectedRows: training rows that a step cannot take.
    """
    fitted: list[AnyStep] = []
    current = dict(columns)
    types = {name: to_arrow_type(column) for name, column in columns.items()}
    for step in steps:
        complete = step.name_columns(types)
        # One that is fitted already stays as it is.
        if not complete.is_fitted:
            complete = complete.fit_to_target(current, target)
        fitted.append(complete)
        current = apply_steps([complete], current, rows)
    return tuple(fitted), current
