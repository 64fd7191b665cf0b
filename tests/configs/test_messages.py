"""What `shown` does with long and hostile text; what it blots out is tested in tests/security/test_row_values.py."""

from collections.abc import Callable
import time
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
import pytest

from configs.messages import shown

# CPU time that a message may take, many times over what it does; what is quadratic takes minutes.
FAR_TOO_LONG = 10.0


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "7",
        "7,",
        "'",
        "''a",
        '"',
        "\\",
        "`",
        "\u2018",
        "\u201c",
        "@",
        "a@",
        "@a",
        "_1",
        "a_",
        "-1 ",
        "b'",
        "(a",
        "\\'",
        '"\\',
    ],
)
def test_a_long_message_takes_no_longer_for_what_stands_in_it(piece: str) -> None:
    started = time.process_time()
    for _ in range(60):
        shown(ValueError(piece * (8_000 // len(piece))))
    assert time.process_time() - started < FAR_TOO_LONG


@pytest.mark.parametrize(
    "mail",
    ["ann@example.org", "@ann@example.org", "ann@@example.org", "a@b@c", "mailto:ann@example.org", "<ann@example.org>", "=ann@x"],
)
def test_mail_addresses_are_blotted_out_however_they_are_spelt(mail: str) -> None:
    line = shown(ValueError(f"mail {mail}, please"))
    assert line.replace("@***", "***").replace("mailto:***", "***").replace("<***>", "***") == "mail ***, please"


def test_values_of_great_length_leave_nothing_behind_in_memory() -> None:
    values = [f"{number} " + "lorem ipsum dolor sit " * 9_000 for number in range(4)]
    tracemalloc.start()
    for value in values:
        assert shown(ValueError("no town of Lorem, Ipsum county"), [value]) == "no town of ***, *** county"
        assert shown(ValueError(f"no {value[:4_000]}"), [value[:4_000]]) == "no ***"
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 1_000_000


@pytest.mark.parametrize("spaced", [True, False])
def test_a_value_that_is_longer_than_what_is_looked_at_is_not_told_by_its_beginning(spaced: bool) -> None:
    value = "Ann" + "x" * 9_000
    assert shown(ValueError(f"bad{' ' if spaced else ''}{value}"), [value]) == ("bad ***" if spaced else "***")


def test_half_a_word_at_the_end_of_what_is_looked_at_is_not_told() -> None:
    """Longer words of a value shrink to three characters each, so that what was cut at 8,000 is short enough to be shown."""
    value = " ".join(letter * 44 for letter in "abcdefghijklmnopqrstuvwxyz" * 10)
    line = shown(ValueError(f"bad: {value[:-1]}?"), [value.replace(" ", "  -  ")])
    assert set(line.split()) == {"bad:", "***"}


@given(
    st.text(min_size=4, max_size=20).filter(lambda value: len(value.split()) == 1),
    st.sampled_from([str.upper, str.lower, str.title, str]),
)
def test_no_value_is_told_whatever_its_case_and_letters(value: str, change: Callable[[str], str]) -> None:
    spelt = change(value)
    if len(spelt) != len(value):  # as a sharp s that becomes two
        spelt = value
    assert spelt not in shown(ValueError(f"= {spelt} ="), [value]).replace("=", " ").split()
