"""Which rows make a call fail: exactly those, in few calls, and not when it is no matter of rows."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from configs.errors import JobError
from model_zoo import halving
from model_zoo.halving import find_rejected


class Attempt:
    """Fails when one of its bad rows is asked for, and counts the calls."""

    def __init__(self, bad: set[int]) -> None:
        self.bad, self.calls = bad, 0

    def __call__(self, positions: np.ndarray) -> None:
        self.calls += 1
        assert positions.dtype == np.int64
        if found := self.bad.intersection(positions.tolist()):
            raise ValueError(f"row {min(found)}")


@given(
    st.integers(1, 200).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=7))
    )
)
def test_halving_finds_exactly_the_bad_rows_in_few_calls(case: tuple[int, set[int]]) -> None:
    rows, bad = case
    attempt = Attempt(bad)
    found = find_rejected(rows, attempt)
    assert (set(found.reasons) if found else set()) == bad
    if found:
        assert {p: str(r) for p, r in found.reasons.items()} == {p: f"row {p}" for p in bad}
    assert attempt.calls <= 1 + 2 * len(bad) * int(np.ceil(np.log2(max(2, rows))))


def test_halving_of_one_row_in_65_536_takes_33_calls() -> None:
    attempt = Attempt({40_000})
    assert set(find_rejected(65_536, attempt).reasons) == {40_000}  # type: ignore[union-attr]
    assert attempt.calls == 33


def test_halving_gives_up_when_nothing_ever_passes() -> None:
    attempt = Attempt(set(range(1_000)))
    with pytest.raises(ValueError, match="row 7"):
        find_rejected(1_000, attempt)
    assert attempt.calls < 40


def test_halving_of_a_small_batch_in_which_all_rows_are_bad_names_them_all() -> None:
    assert set(find_rejected(7, Attempt(set(range(7)))).reasons) == set(range(7))  # type: ignore[union-attr]


def test_halving_does_not_give_up_once_a_call_passed() -> None:
    bad = set(range(2, 64))
    assert set(find_rejected(64, Attempt(bad)).reasons) == bad  # type: ignore[union-attr]


def test_halving_goes_on_when_only_the_first_rows_are_bad() -> None:
    def attempt(at: np.ndarray) -> None:
        if (at < 20).any():
            raise ValueError("bad")

    bad = find_rejected(100, attempt)
    assert bad is not None
    assert sorted(bad.reasons) == list(range(20))


def test_halving_looks_at_the_first_and_the_last_row_before_it_gives_up() -> None:
    for good in (0, 99):
        # A row that is good alone, and bad with its neighbour, as where a model fails on all but single rows.
        def attempt(at: np.ndarray, good: int = good) -> None:
            if at.tolist() != [good]:
                raise ValueError("bad")

        found = find_rejected(100, attempt)
        assert found is not None
        assert set(found.reasons) == set(range(100)) - {good}


def test_halving_does_not_doubt_the_rows_once_one_of_them_passed() -> None:
    """Row 1 of 64 is good, and none of those that are tried when rows are doubted."""
    bad = set(range(64)) - {1}
    assert set(find_rejected(64, Attempt(bad)).reasons) == bad  # type: ignore[union-attr]


def test_halving_gives_up_after_8_rows_of_8_and_of_as_many_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match="row 7"):
        find_rejected(8, Attempt(set(range(8))))
    monkeypatch.setattr(halving, "ALONE_BEFORE_DOUBT", 3)
    with pytest.raises(ValueError, match="row 2"):
        find_rejected(9, Attempt(set(range(9))))
    assert set(find_rejected(2, Attempt({0, 1})).reasons) == {0, 1}  # type: ignore[union-attr]


def test_halving_does_not_ask_again_once_another_row_passed() -> None:
    """Of 64 rows all but the last are bad: it is found while 8 rows are doubted, and they are not doubted a second time."""
    attempt = Attempt(set(range(63)))
    assert set(find_rejected(64, attempt).reasons) == set(range(63))  # type: ignore[union-attr]
    assert attempt.calls <= 64 + 63 + 8


def test_a_refusal_is_no_matter_of_a_row() -> None:
    """Whatever the whole batch fails with, a call that refuses the job ends it: it is not a row that is rejected."""

    def attempt(at: np.ndarray) -> None:
        if len(at) == 1:
            raise JobError("no such column")
        raise ValueError("bad")

    with pytest.raises(JobError):
        find_rejected(4, attempt)


def test_a_refusal_while_rows_are_doubted_is_none_either() -> None:
    calls = 0

    def attempt(at: np.ndarray) -> None:
        nonlocal calls
        calls += 1
        # 1 call of all rows, 3 of halves, 8 of single rows; then those from all over the batch.
        if calls > 11 + 1:
            raise JobError("no such column")
        raise ValueError("bad")

    with pytest.raises(JobError):
        find_rejected(64, attempt)
