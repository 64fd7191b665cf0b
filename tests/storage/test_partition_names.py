"""Folders that are named by a column and a value: what is written is read again as itself, and as Python's URLs escape."""

from urllib.parse import unquote

import pytest

from storage.partition_names import HIVE_NULL, escape, fits, is_path_of_names, make_name


@pytest.mark.parametrize(
    "text", ["a", "12:30", "a/b=c", "50 %", "größer", "%2F", "x\ny", "a\\b", ""]
)
def test_what_is_escaped_is_unescaped_to_itself(text: str) -> None:
    written = escape(text)
    assert unquote(written) == text
    assert not {"/", "=", ":", "\n", "\\"} & set(written)


@pytest.mark.parametrize(
    ("text", "does"),
    [("n", True), ("", False), (HIVE_NULL, False), ("x" * 248, True), ("x" * 249, False)],
)
def test_a_name_is_at_most_as_long_as_a_disk_takes(text: str, does: bool) -> None:
    # With `region` and `=` in front: 255 bytes at most.
    assert len(make_name("region", "x" * 248)) == 255
    assert fits("region", text) is does
    # In bytes, and not in letters; what is escaped is longer.
    assert fits("region", "é" * 124)
    assert not fits("region", "é" * 125)
    assert not fits("region", "/" * 83)


@pytest.mark.parametrize(
    ("path", "is_of_names"),
    [
        ("dt=1", True),
        ("dt=1/region=a%2Fb", True),
        (f"dt={HIVE_NULL}", True),
        ("a%3Db=1", True),
        ("=1", False),
        ("dt=", False),
        ("dt", False),
        (".dt=1", False),
        ("_dt=1", False),
        ("dt=1/.x=2", False),
        # Written otherwise than this program does.
        ("dt=a:b", False),
        ("dt=a%2fb", False),
        ("dt=%61", False),
        ("dt=1/", False),
    ],
)
def test_a_path_is_of_such_names_alone(path: str, is_of_names: bool) -> None:
    assert is_path_of_names(path) is is_of_names


def test_hive_escapes_the_letters_that_control_a_terminal_and_no_space() -> None:
    controls = "".join(map(chr, range(32))) + "\x7f"
    # A percent sign and two digits, each.
    assert len(escape(controls)) == 3 * len(controls)
    assert escape("a b ~!") == "a b ~!"
