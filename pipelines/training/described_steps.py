"""Fitted steps in words: what they take, and what those that choose have chosen."""

from collections.abc import Iterator

from model_zoo.steps.pca import Pca
from model_zoo.steps.select import Select
from model_zoo.steps.table import AnyStep


def describe_step(step: AnyStep) -> str:
    """Return a step in words, without any value of a row.

    >>> fields = {"step": "select", "columns": ("age", "plan"), "into": "x", "method": "l1"}
    >>> describe_step(Select(**fields, kept=((0,), (0, 2))))
    'select by l1 keeps 3 numbers: age, plan[0], plan[2]'
    """
    if isinstance(step, Select):
        kept = list(_list_kept(step))
        names = ", ".join(kept)
        return f"{step.step} by {step.method} keeps {len(kept)} numbers: {names}"
    if isinstance(step, Pca):
        made = len(step.axes or ())
        taken = len(step.mean or ())
        names = ", ".join(step.columns)
        return f"{step.step} makes {made} components of {taken} numbers: {names}"
    # Others have one column, or name them otherwise.
    columns = getattr(step, "columns", None)
    if not columns:
        columns = [getattr(step, "column", "")]
    names = ", ".join(columns)
    return f"{step.step} {names}".rstrip()


def _list_kept(step: Select) -> Iterator[str]:
    """Yield the numbers that are kept: a column of one by its name, others with their place."""
    kept = step.kept or ()
    for name, places in zip(step.columns, kept, strict=True):
        # Whether a column has further numbers the step does not know, where it keeps the first.
        if places == (0,):
            yield name
            continue
        for place in places:
            yield f"{name}[{place}]"
