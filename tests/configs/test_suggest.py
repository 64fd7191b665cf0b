"""What was probably meant: the nearest of a few names, or which ones there are."""

import pytest

from configs.suggest import nearest, nearest_at_all

MANY = [f"net{number}" for number in range(10, 99)]


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("Age", ["age", "other"], "; did you mean age?"),
        (" age ", ["age"], "; did you mean age?"),
        ("agee", ["age", "other"], "; did you mean age?"),
        ("xyz", ["b", "a"], "; there are a, b"),
        ("xyz", [], ""),
        ("xyz", MANY, ""),
    ],
)
def test_the_nearest_name_is_told(name: str, known: list[str], hint: str) -> None:
    assert nearest(name, known) == hint


@pytest.mark.parametrize(("count", "is_told"), [(9, True), (20, True), (21, False)])
def test_a_few_names_are_all_told(count: int, is_told: bool) -> None:
    names = [f"n{number}" for number in range(count)]
    told = nearest("????????", names)
    assert bool(told) is is_told
    if is_told:
        assert told.count(",") == count - 1


def test_of_many_names_the_nearest_is_told_however_far_it_is() -> None:
    assert nearest_at_all("nope", []) == ""
    assert nearest_at_all("nett10", MANY) == "; did you mean net10?"
    assert nearest_at_all("nope", MANY).startswith("; of 89 names the nearest is net")
    assert nearest_at_all("xyz", ["b", "a"]) == "; there are a, b"
