"""Refusals that are kept until all has been looked at."""

import pytest

from configs.errors import InputError, JobError, ModelError, Refusal
from pipelines.packing.asking.questions import Questions


def refuse_with(refusal: Refusal) -> int:
    raise refusal


def told(*refusals: Refusal) -> Refusal:
    questions = Questions()
    for refusal in refusals:
        assert questions.ask(refuse_with, refusal) is None
    with pytest.raises(Refusal) as raised:
        questions.refuse()
    return raised.value


def test_what_is_found_is_returned_and_nothing_is_asked() -> None:
    questions = Questions()
    assert questions.ask(int, "7", base=8) == 7
    questions.refuse()


def test_a_single_refusal_is_raised_as_it_is() -> None:
    error = InputError("no rows")
    assert told(error) is error


@pytest.mark.parametrize(
    ("refusals", "kind"),
    [
        ((JobError("a"), JobError("b")), JobError),
        ((ModelError("a"), InputError("b")), ModelError),
        ((InputError("a"), ModelError("b"), JobError("c")), JobError),
    ],
)
def test_several_are_told_in_their_order_as_what_the_author_begins_with(
    refusals: tuple[Refusal, ...], kind: type[Refusal]
) -> None:
    refusal = told(*refusals)
    assert type(refusal) is kind
    assert str(refusal) == "; ".join(map(str, refusals))


def test_what_two_places_ask_for_is_told_once() -> None:
    assert str(told(JobError("a"), InputError("b"), JobError("a"))) == "a; b"


def test_one_of_them_is_told_first() -> None:
    questions = Questions()
    questions.add(JobError("b"))
    questions.begin_with(JobError("a"))
    with pytest.raises(JobError, match=r"^a; b$"):
        questions.refuse()


def test_what_is_no_refusal_is_not_kept() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Questions().ask(int, "seven")
