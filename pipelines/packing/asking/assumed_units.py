"""A model whose unit of moments is not known yet is called all the same, to ask for what its outputs leave open."""

from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa

from configs.errors import Refusal
from configs.packaging import PackagingJob
from model_zoo.package.card import Contract
from model_zoo.steps.table import AnyStep
from pipelines.packing.asking.questions import Questions
from pipelines.packing.contract.contract import ModelRows, take_rows
from pipelines.packing.contract.units import UnitsNeededError

T = TypeVar("T")


def call_in_assumed_units(
    call: Callable[[PackagingJob[AnyStep], ModelRows], T],
    job: PackagingJob[AnyStep],
    sample: pa.Table,
    questions: Questions,
    change: Callable[[Contract], Contract] | None = None,
) -> T | None:
    """Return what calling the model gives; None where it cannot be called.

    Args:
        call: calls it on rows of the sample.
        job: the job.
        sample: the whole of it.
        questions: what is asked, also where `call` succeeds in a unit that nobody has said.
        change: as of `take_rows`.
    """
    taken = questions.ask(take_rows, job, sample, change)
    if taken is None:
        return None
    try:
        return call(job, taken)
    except UnitsNeededError as needed:
        questions.add(needed)
        columns = [name for name in needed.columns if name in sample.column_names]
    except Refusal as refusal:
        questions.add(refusal)
        return None
    # One that is no column of the sample, but was made by a step, takes no unit.
    if not columns or job.numbers.keys() >= set(columns):
        return None
    # The unit changes numbers, and no shape.
    units = {**job.numbers, **dict.fromkeys(columns, "days")}
    assumed = job.model_copy(update={"numbers": units})
    return call_in_assumed_units(call, assumed, sample, questions, change)
