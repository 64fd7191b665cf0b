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
        return f"{step.step} by {step.method} keeps {len(kept)} numbers: {', '.join(kept)}"
    if isinstance(step, Pca):
        made = len(step.axes or ())
        taken = len(step.mean or ())
        return f"{step.step} makes {made} components of {taken} numbers: {', '.join(step.columns)}"
    # Others have one column, or name them otherwise.
    columns = getattr(step, "columns", None) or [getattr(step, "column", "")]
    return f"{step.step} {', '.join(columns)}".rstrip()


def _list_kept(step: Select) -> Iterator[str]:
    """Yield the numbers that are kept: a column of one by its name, others with their place."""
    for name, places in zip(step.columns, step.kept or (), strict=True):
        for place in places:
            # Whether a column has further numbers the step does not know, where it keeps the first.
            yield name if places == (0,) else f"{name}[{place}]"
