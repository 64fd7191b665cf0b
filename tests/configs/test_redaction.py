"""What `shown` does with long and hostile text; what it blots out is tested in tests/security/test_row_values.py."""

from collections.abc import Callable
from pathlib import Path
import time
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
import pytest

from configs.errors import RowError
from configs.redaction import shown

# CPU time that messages may take, many times over what they do; what is quadratic takes a quarter of a minute.
FAR_TOO_LONG = 0.9


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
    for _ in range(5):
        shown(ValueError(piece * (8_000 // len(piece))))
    assert time.process_time() - started < FAR_TOO_LONG


@pytest.mark.parametrize(
    "mail",
    [
        "ann@example.org",
        "@ann@example.org",
        "ann@@example.org",
        "a@b@c",
        "mailto:ann@example.org",
        "<ann@example.org>",
        "=ann@x",
    ],
)
def test_mail_addresses_are_blotted_out_however_they_are_spelt(mail: str) -> None:
    line = shown(ValueError(f"mail {mail}, please"))
    assert (
        line.replace("@***", "***").replace("mailto:***", "***").replace("<***>", "***")
        == "mail ***, please"
    )


def test_values_of_great_length_leave_nothing_behind_in_memory() -> None:
    values = [f"{number} " + "lorem ipsum dolor sit " * 9_000 for number in range(4)]
    tracemalloc.start()
    for value in values:
        assert (
            shown(ValueError("no town of Lorem, Ipsum county"), [value])
            == "no town of ***, *** county"
        )
        assert shown(ValueError(f"no {value[:4_000]}"), [value[:4_000]]) == "no ***"
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 1_000_000


@pytest.mark.parametrize("spaced", [True, False])
def test_a_value_that_is_longer_than_what_is_looked_at_is_not_told_by_its_beginning(
    spaced: bool,
) -> None:
    value = "Ann" + "x" * 9_000
    assert shown(ValueError(f"bad{' ' if spaced else ''}{value}"), [value]) == (
        "bad ***" if spaced else "***"
    )


def test_half_a_word_at_the_end_of_what_is_looked_at_is_not_told() -> None:
    """Longer words of a value shrink to three characters each, so that what was cut at 8,000 is short enough to be shown."""
    value = " ".join(letter * 44 for letter in "abcdefghijklmnopqrstuvwxyz" * 10)
    line = shown(ValueError(f"bad: {value[:-1]}?"), [value.replace(" ", "  -  ")])
    assert set(line.split()) == {"bad:", "***"}


@pytest.mark.parametrize(
    ("line", "value", "told"),
    [
        ("a-b is bad", "a-b", "*** is bad"),
        ("bad is a-b", "a-b", "bad is ***"),
        ("a-b", "a-b", "***"),
        ("(a-b)", "a-b", "(***)"),
        ("no x.", "x", "no ***."),
        ("A-B and a-b", "a-B", "*** and ***"),
        ("a - b is", "a   -\n b", "*** is"),
        # A short value inside a word may be chance,
        ("xa-b", "a-b", "xa-b"),
        ("_a-b", "a-b", "_a-b"),
        ("a-bx", "a-b", "a-bx"),
        ("a-b_", "a-b", "a-b_"),
        ("xa-a-a", "a-a", "xa-***"),  # but one that begins inside it counts
        # and a longer one is none.
        ("xa-bcy", "a-bc", "x***y"),
        ("a-bca-bc", "a-bc", "***"),
        # Letters that become several in lower case, or without case, move nothing.
        ("\u00df\u0130\u0149 a-b c", "a-b", "\u00df\u0130\u0149 *** c"),
        ("\u00df-\u0130 c", "\u00df-\u0130", "*** c"),
        ("\u00df \u00b5-b c", "\u03bc-b", "\u00df *** c"),
        ("nothing of it", "", "nothing of it"),
        ("nothing of it", " \t ", "nothing of it"),
        ("short", "short and longer than the line", "***"),
        ("an ox", "an ox-cart and more", "an ox"),
    ],
)
def test_a_value_is_blotted_out_from_its_first_to_its_last_character(
    line: str, value: str, told: str
) -> None:
    assert shown(ValueError(line), [value]) == told


def test_a_word_of_three_letters_is_one_of_a_value_and_one_of_two_is_not() -> None:
    assert shown(ValueError("Ann of Ox in Rye"), ["Ann, Ox; Rye!"]) == "*** of Ox in ***"


@pytest.mark.parametrize(("length", "told"), [(8_000, "bad *** end"), (8_001, "bad *** ***")])
def test_a_line_is_looked_at_to_its_8000th_character(length: int, told: str) -> None:
    """Of the longer one the last word is cut, and nobody knows what it was."""
    assert shown(ValueError(f"bad '{'x' * (length - 10)}' end")) == told


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("a" * 2_000, 2_000),
        ("a" * 2_001, 2_000),
        ("\u00e9" * 1_001, 2_000),
        ("a" + "\u00e9" * 1_000, 1_999),
    ],
)
def test_2000_bytes_are_kept_and_no_half_letter(message: str, kept: int) -> None:
    line = shown(RowError(message))
    assert len(line.encode()) == kept
    assert message.startswith(line)


def test_messages_of_our_own_keep_their_words_and_those_of_others_lose_addresses() -> None:
    assert shown(RowError("column 'x' of row 17"), ["column"]) == "column 'x' of row 17"
    assert (
        shown(ValueError("<Thing at 0x7f00ab> of column_17, float32 and a12345"))
        == "<Thing> of column_17, float32 and ***"
    )


@given(
    st.text(min_size=4, max_size=20).filter(lambda value: len(value.split()) == 1),
    st.sampled_from([str.upper, str.lower, str.title, str]),
)
def test_no_value_is_told_whatever_its_case_and_letters(
    value: str, change: Callable[[str], str]
) -> None:
    spelt = change(value)
    if len(spelt) != len(value):  # as a sharp s that becomes two
        spelt = value
    assert spelt not in shown(ValueError(f"= {spelt} ="), [value]).replace("=", " ").split()


@pytest.mark.parametrize(
    ("message", "known", "told"),
    [
        # The kind of an error, a path, a line, a column, a size and a time zone lead to what has to be mended.
        (
            "[Errno 13] Failed to open '/in/1.csv'",
            ["/in/1.csv"],
            "[Errno 13] Failed to open '/in/1.csv'",
        ),
        (
            "/in/2024-01-01/x-17.csv is bad",
            ["/in/2024-01-01/x-17.csv"],
            "/in/2024-01-01/x-17.csv is bad",
        ),
        ('"b" in line 17 is no number', ["b"], '"b" in line 17 is no number'),
        ("column_1234 or column_12345", ["column_1234"], "column_1234 or ***"),
        ("no time zone 'Nope/Zone'", [], "no time zone 'Nope/Zone'"),
        ("cannot parse timezone 'Europe/Berlin'", [], "cannot parse timezone 'Europe/Berlin'"),
        (
            "Parquet file size is 7 bytes, smaller than the size reported by footer's (2147483647)",
            [],
            "Parquet file size is 7 bytes, smaller than the size reported by footer's (2147483647)",
        ),
        (
            "Integers with more than 64 bits not implemented",
            [],
            "Integers with more than 64 bits not implemented",
        ),
        # All else is a value,
        (
            "bytes 17; -17 bytes; 17 bytesize; 1.7 bytes",
            [],
            "bytes ***; *** bytes; *** bytesize; *** bytes",
        ),
        ("4111111111111111 bytes 4111-1111 bytes", [], "*** bytes *** bytes"),
        ("bad 'Ann'", ["a", "A", "An"], "bad ***"),
        ("bad 'a' and 'Ann a'", ["a"], "bad 'a' and ***"),
        ("line 4111 1111 1111 1111", [], "line ***"),
        ("line 4111-1111", [], "line ***"),
        ("line 41111111", [], "line ***"),
        ("line 4111.7", [], "line ***"),
        ("[Errno 41111111]", [], "[Errno ***]"),
        ("zone 'Ann'", [], "zone ***"),
        ("of 'Europe/Berlin'", [], "of ***"),
        # and no text by itself stands for what was set aside.
        ("\ue000 and 'a'", ["a"], "*** and 'a'"),
        ("\ue001", [], "***"),
    ],
)
def test_what_leads_to_the_fault_stays(message: str, known: list[str], told: str) -> None:
    assert shown(ValueError(message), known=known) == told


def test_a_value_is_blotted_out_also_where_it_is_a_name() -> None:
    assert (
        shown(ValueError("no 'size' of 'Ann'"), ["Ann", "size"], known=["size"]) == "no *** of ***"
    )


@given(
    st.text(), st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4)
)
def test_a_line_of_any_text_and_names_is_told(
    line: str, values: list[str], known: list[str]
) -> None:
    told = shown(ValueError(line), values, known)
    assert not any("\ue000" <= letter <= "\uf8ff" for letter in told)


@pytest.mark.parametrize(
    ("path", "values", "expected"),
    [
        ("/maps/towns.csv", [], "[Errno 2] No such file or directory: '/maps/towns.csv'"),
        ("/maps/towns.csv", ["Lyon"], "[Errno 2] No such file or directory: '/maps/towns.csv'"),
        # What may be a value is none of the message's business.
        ("/people/Springfield.png", ["springfield"], "[Errno 2] No such file or directory: ***"),
        ("/people/Jo.png", ["Jo"], "[Errno 2] No such file or directory: ***"),
        ("/people/Ann Miller.png", ["Miller, Ann"], "[Errno 2] No such file or directory: ***"),
        ("/people/4711.png", [], "[Errno 2] No such file or directory: ***"),
        ("/people/ann@example.org", [], "[Errno 2] No such file or directory: ***"),
        ("/people/c12345/photo.png", [], "[Errno 2] No such file or directory: ***"),
    ],
)
def test_the_path_that_cannot_be_opened_stays_unless_it_may_hold_a_value(
    path: str, values: list[str], expected: str
) -> None:
    error = FileNotFoundError(2, "No such file or directory", path)
    assert shown(error, values) == expected


def test_what_cannot_be_opened_really_says_why_and_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there, and one that nobody can read: a loop of links, also for root."""
    monkeypatch.chdir(tmp_path)
    Path("maps").mkdir()
    Path("maps/towns.csv").symlink_to("towns.csv")
    told = []
    for path in ("maps/rivers.csv", "maps/towns.csv", "maps"):
        with pytest.raises(OSError, match="Errno") as caught:
            Path(path).read_bytes()
        told.append(shown(caught.value, ["Lyon"]))
    assert told == [
        "[Errno 2] No such file or directory: 'maps/rivers.csv'",
        "[Errno 40] Too many levels of symbolic links: 'maps/towns.csv'",
        "[Errno 21] Is a directory: 'maps'",
    ]


def test_only_the_systems_own_error_tells_a_path() -> None:
    assert shown(ValueError("cannot read '/maps/towns.csv'")) == "cannot read ***"
