"""The table of seconds is of the folders that tests/README.md lists, and adds up."""

import pytest

from tests.support.seconds import Took, folder_of, list_folders


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("tests/pipelines/cli/test_terminal.py::test_a[x/y]", "tests/pipelines"),
        ("tests/pipelines/packing/proof/test_proof.py::test_a", "tests/pipelines/packing"),
        ("tests/storage/test_disk.py::test_a", "tests/storage"),
        ("tests/test_docs.py::test_a", "tests/test_docs.py"),
    ],
)
def test_a_test_belongs_to_a_line_of_the_table(name: str, folder: str) -> None:
    assert folder_of(name) == folder


def test_a_folder_takes_what_its_tests_take_and_the_quick_ones_stand_apart() -> None:
    tests = [
        Took("tests/a/test_b.py::test_c", 1.0, 2.0, quick=True),
        Took("tests/a/test_d.py::test_e", 4.0, 8.0, quick=False),
        Took("tests/f/test_g.py::test_h", 16.0, 32.0, quick=True),
    ]
    assert [line.split() for line in list_folders(tests)] == [
        ["17.0", "21.0", "42.0", "tests"],
        ["1.0", "5.0", "10.0", "tests/a"],
        ["16.0", "16.0", "32.0", "tests/f"],
    ]
