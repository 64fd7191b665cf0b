"""Which of a sample's columns the model sees, where the job says what each argument takes.

A column that no argument and no step names is none of the model's: a row that lacks it is scored.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from configs.packaging import PackagingJob
from model_zoo.steps.chosen_columns import ChosenColumns
from model_zoo.steps.function import Function
from model_zoo.steps.table import AnyStep

# What tells items of a list from padding is made of the list itself.
_MASK = "_mask"


def leave_out_unused(
    job: PackagingJob[AnyStep],
    columns: Sequence[str],
) -> list[str]:
    """Return the columns that an argument or a step names; all where nobody knows.

    Args:
        job: the job.
        columns: those that the model may see.
    """
    everything = list(columns)
    if not job.inputs or any(map(_may_take_any, job.preprocess)):
        return everything
    of_steps: set[str] = set()
    for step in job.preprocess:
        fields = step.model_dump()
        texts = _list_texts(fields)
        of_steps.update(texts)
    sources = list(job.inputs.values())
    taken = set(_list_texts(sources))
    masks = {name + _MASK for name in columns}
    known = {*columns, *masks, *of_steps}
    # A misspelt name is refused where it is looked up, with the nearest of all columns.
    if not taken <= known:
        return everything
    # More than columns' names are among these, which at worst keeps a column that is not needed.
    named = {*taken, *of_steps, job.image, job.text}
    if job.graph is not None:
        fields = job.graph.model_dump()
        texts = _list_texts(fields)
        named.update(texts)
    used = []
    for name in columns:
        is_named = name in named
        if is_named or name + _MASK in named:
            used.append(name)
    return used


def _may_take_any(step: AnyStep) -> bool:
    # A user's function sees the whole batch.
    if isinstance(step, Function):
        return True
    columns = getattr(step, "columns", ())
    # A word stands for columns that it does not name.
    return isinstance(columns, ChosenColumns)


def _list_texts(value: Any) -> Iterator[str]:
    """Yield every text in lists and mappings, names of their entries among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _list_texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _list_texts(inner)
