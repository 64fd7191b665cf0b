"""Columns that go one after the other come out as step by step: the same bits, and the same faults."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError, JobError, RejectedRows
from model_zoo.steps.cast import Cast
from model_zoo.steps.column_wise import plan_columns
from model_zoo.steps.date_parts import DateParts
from model_zoo.steps.encode import OneHot, Ordinal
from model_zoo.steps.fill import Fill
from model_zoo.steps.function import Function
from model_zoo.steps.scale import Scale, Standardise
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import apply_steps

ROWS = 5
COLUMNS = {
    "double": pa.array([0.1, None, float("nan"), -3.7, 1e300 * 1e-280]),
    "single": pa.array([0.3, 0.7, None, 2.5, -0.0], pa.float32()),
    "whole": pa.array([1, None, 3, 2**53 + 1, -5]),
    "flag": pa.array([True, False, True, True, False]),
    "text": pa.array(["a", None, "b", "?", "c"]),
    "pair": np.arange(10.0).reshape(5, 2),
}
FILL = Fill(
    step="fill",
    columns=("double", "whole", "text", "single"),
    strategy="most_frequent",
    values=(0.25, 7, "b", 1.5),
)
STANDARDISE = Standardise(
    step="standardise",
    columns=("whole", "double", "single", "pair"),
    mean=(0.1, 0.2, 0.3, 0.4),
    scale=(3.0, 0.7, 1.1, 0.9),
)
SCALE = Scale(step="scale", columns=("double",), factor=(1.7,), offset=(0.2,))
CAST = Cast(step="cast", columns=("flag", "whole"), dtype="float16")
CAST_FLAG = CAST.model_copy(update={"columns": ("flag",)})
ONE_HOT = OneHot(step="one_hot", columns=("text",), unknown="zeros", categories=(("a", "b", "c"),))
ORDINAL = Ordinal(
    step="ordinal", columns=("text",), unknown="code", unknown_code=9, categories=(("a", "b"),)
)


def stack(*names: str, dtype: Any = "float32") -> Stack:
    return Stack(step="stack", columns=names, into="x", dtype=dtype)


def fault_of(steps: Sequence[Any], wanted: set[str] | None) -> tuple[type, object]:
    with pytest.raises((RejectedRows, JobError, InputError)) as caught:
        apply_steps(steps, COLUMNS, ROWS, wanted=wanted)
    error = caught.value
    if isinstance(error, RejectedRows):
        return RejectedRows, {row: str(why) for row, why in error.reasons.items()}
    return type(error), str(error)


@pytest.mark.parametrize(
    "steps",
    [
        (FILL, STANDARDISE, stack("double", "single", "whole")),
        (FILL, ONE_HOT, SCALE, stack("text", "double", "flag", "pair")),
        (FILL, ORDINAL, CAST_FLAG, STANDARDISE, stack("whole", "text", "flag", dtype="float64")),
        (FILL, ONE_HOT, stack("text", "whole", dtype="int64")),
        # A column that is stacked twice, one that is changed alone, and a stack by a column's name.
        (FILL, ONE_HOT, stack("text", "whole", "text").model_copy(update={"into": "whole"})),
    ],
)
@pytest.mark.parametrize("rows", [ROWS, 0])
def test_columns_that_go_by_themselves_give_the_same_bits(steps: Any, rows: int) -> None:
    columns = {name: column[:rows] for name, column in COLUMNS.items()}
    wanted = {steps[-1].into, "double"}
    plan = plan_columns(steps, wanted)
    assert plan is not None
    expected = apply_steps(steps, columns, rows)
    # The plan itself: what it fails on would go step by step.
    actual = columns | plan.apply(columns, rows)
    for name in wanted:
        ours, theirs = (np.asarray(found[name]) for found in (actual, expected))
        assert (ours.dtype, ours.shape, ours.strides) == (
            theirs.dtype,
            theirs.shape,
            theirs.strides,
        )
        assert ours.tobytes() == theirs.tobytes()


REJECTING = OneHot(step="one_hot", columns=("text",), unknown="reject", categories=(("a", "b"),))


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        # Row 1 has no text, and the number of row 3 is too large: the first step is heard.
        ((REJECTING, CAST, stack("whole", "text")), RejectedRows),
        ((CAST, REJECTING, stack("whole", "text")), RejectedRows),
        # Of a column that nobody stacks, too.
        ((REJECTING, stack("whole")), RejectedRows),
        ((FILL, stack("double", "nowhere")), JobError),
        ((FILL, stack("text", "double")), JobError),
        ((REJECTING.model_copy(update={"unknown": "error"}), stack("text")), InputError),
    ],
)
def test_of_several_faults_that_is_told_of_which_the_steps_find_first(
    steps: Any, fault: type
) -> None:
    expected = fault_of(steps, wanted=None)
    assert expected[0] is fault
    assert plan_columns(steps, {"x"}) is not None
    assert fault_of(steps, wanted={"x"}) == expected


OWN = Function(step="function", function="my_module:f")
DATES = DateParts(step="date_parts", columns=("day",), parts=("year",))


@pytest.mark.parametrize(
    "steps",
    [
        (),
        # Nothing but a stack, which leaves nothing behind.
        (stack("double"),),
        (DATES, stack("day_year")),
        # Somebody may look at all columns behind it.
        (FILL, stack("double"), OWN),
        (FILL, STANDARDISE),
    ],
)
def test_other_steps_go_all_columns_at_once(steps: Any) -> None:
    assert plan_columns(steps, {"x"}) is None


def test_steps_that_take_several_columns_go_before() -> None:
    steps = (FILL, OWN, ONE_HOT, SCALE, stack("text"))
    plan = plan_columns(steps, {"x", "double"})
    assert plan is not None
    assert plan.before == (FILL, OWN)
    assert plan.steps == (ONE_HOT, SCALE)
    assert plan.kept == {"double"}
    assert plan_columns(steps, {"x", "double"}) is plan
    other = plan_columns(steps, {"x"})
    assert other is not None
    assert other.kept == set()
