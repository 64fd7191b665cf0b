"""The table of tests/README.md gets its figures from a run, each test in one line."""

from pathlib import Path

from tests.support.repository import REPOSITORY
from tests.support.seconds import Took
from tests.support.seconds_table import fill_table, main

_PAGE = """# Tests

| folder | what it proves | seconds | quick |
|---|---|---|---|
| `a/`, `b/` | values | 7 | 8 |
| `a/own/` | names | 7 | 8 |
| `gpu/` | needs a GPU | | |
| `test_c.py` | links | 7, 1 | 8 |
"""
_TESTS = [
    Took("tests/a/test_x.py::test_1", core=1.0, clock=2.0, quick=True),
    Took("tests/b/deep/test_x.py::test_2", core=4.0, clock=8.0, quick=False),
    Took("tests/a/own/test_x.py::test_3", core=16.0, clock=32.0, quick=True),
    Took("tests/test_c.py::test_4[a|b]", core=0.2, clock=0.6, quick=True),
    Took("tests/nowhere/test_x.py::test_5", core=64.0, clock=64.0, quick=True),
]


def test_each_line_gets_the_sum_of_its_places_and_a_longer_place_wins() -> None:
    expected = (
        _PAGE.replace("values | 7 | 8", "values | 10 | 1")
        .replace("names | 7 | 8", "names | 32 | 16")
        .replace("links | 7, 1 | 8", "links | 1 | 0")
    )
    assert fill_table(_PAGE, _TESTS) == expected


def test_a_part_of_the_tests_changes_its_own_lines_alone() -> None:
    expected = _PAGE.replace("names | 7 | 8", "names | 32 | 16")
    assert fill_table(_PAGE, [_TESTS[2]]) == expected


def test_without_a_run_it_says_what_to_run(tmp_path: Path) -> None:
    assert main(tmp_path / "nothing.json", tmp_path / "page.md") == 1


def test_every_file_of_tests_has_a_line() -> None:
    """One without a line would be left out of the sums."""
    written = (REPOSITORY / "tests/README.md").read_text()
    for file in (REPOSITORY / "tests").glob("**/test_*.py"):
        name = str(file.relative_to(REPOSITORY))
        test = Took(f"{name}::test_x", core=98_765.0, clock=98_765.0, quick=True)
        lines = fill_table(written, [test])
        assert "| 98765 | 98765 |" in lines, f"no line of tests/README.md: {name}"
