"""After how many rows that fail the model itself is doubted, and what settles it."""

import pytest
import torch

from configs.errors import ModelError
from model_zoo.scoring.call import Call
from model_zoo.scoring.doubt import Doubt

ROWS = 40
ERROR = ValueError("no such row")


def call_of(rows: int = ROWS, **fields: object) -> Call:
    inputs = {"x": torch.arange(3.0 * rows).reshape(rows, 3)}
    return Call(rows=rows, batch_rows=8, inputs=inputs, **fields)  # type: ignore[arg-type]


class Asked:
    """Which rows were tried again; they and the known row pass, or not."""

    def __init__(self, passes: bool = False, known: bool = False) -> None:
        self.passes, self.known = passes, known
        self.rows: list[int] = []
        self.times_known = 0

    def row(self, row: int) -> bool:
        self.rows.append(row)
        return self.passes

    def known_row(self) -> bool:
        self.times_known += 1
        return self.known


def fail(doubt: Doubt, call: Call, asked: Asked, rows: range) -> None:
    for row in rows:
        call.rejected[row] = ERROR
        doubt.settle(call, ERROR, asked.row, asked.known_row)


def test_seven_rows_raise_no_doubt_and_the_eighth_does() -> None:
    doubt, call, asked = Doubt(), call_of(), Asked()
    fail(doubt, call, asked, range(7))
    assert asked.rows == []
    with pytest.raises(ModelError, match=r"failed on each of 16 rows .* ValueError: no such row"):
        fail(doubt, call, asked, range(7, 8))
    # From all over the rows that have not failed, which are enough to tell.
    assert (asked.rows[0], asked.rows[-1], len(asked.rows)) == (8, ROWS - 1, 8)
    assert asked.times_known == 0


def test_rows_are_counted_from_anew_once_something_went_through() -> None:
    doubt, call, asked = Doubt(), call_of(), Asked()
    fail(doubt, call, asked, range(7))
    doubt.clear()
    fail(doubt, call, asked, range(7, 14))
    assert asked.rows == []
    with pytest.raises(ModelError):
        fail(doubt, call, asked, range(14, 15))


def test_a_call_of_which_a_row_passes_is_not_doubted_again() -> None:
    doubt, call, asked = Doubt(), call_of(), Asked(passes=True)
    fail(doubt, call, asked, range(30))
    assert len(asked.rows) == 1
    assert call.passed


def test_a_call_that_went_through_in_part_is_not_doubted() -> None:
    asked = Asked()
    fail(Doubt(), call_of(passed=True), asked, range(20))
    assert asked.rows == []


@pytest.mark.parametrize("rows", [8, 12, 15])
def test_a_call_of_few_rows_has_the_benefit_of_the_doubt_while_the_known_row_passes(
    rows: int,
) -> None:
    doubt, asked = Doubt(), Asked(known=True)
    fail(doubt, call_of(rows), asked, range(8))
    assert (len(asked.rows), asked.times_known) == (rows - 8, 1)
    # And the next eight begin anew.
    fail(doubt, call_of(rows), asked, range(7))
    assert asked.times_known == 1
    tried = 8 + (rows - 8)
    with pytest.raises(ModelError, match=f"failed on each of {tried} rows"):
        fail(Doubt(), call_of(rows), Asked(), range(8))


def test_the_known_row_is_the_first_that_was_scored_and_a_copy() -> None:
    doubt, call = Doubt(), call_of(4, rejected={0: ERROR, 1: ERROR})
    doubt.remember_row(call)
    known = doubt.known_row
    assert known is not None
    call.inputs["x"].zero_()
    assert known["x"].tolist() == [[6.0, 7.0, 8.0]]
    # A call of which nothing was scored says nothing, and leaves what is known.
    doubt.remember_row(call_of(2, rejected={0: ERROR, 1: ERROR}))
    assert doubt.known_row is known
    assert Doubt().known_row is None
