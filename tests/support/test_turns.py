"""Folders whose tests share what takes long are taken whole, and come first."""

from tests.support.turns import rank, turn_of


def test_a_turn_is_a_file_or_one_of_some_folders() -> None:
    assert turn_of("tests/flink/test_flink.py::test_a[x::y]") == "tests/flink"
    assert turn_of("tests/faults/test_disk.py::test_a") == "tests/faults/test_disk.py"
    assert turn_of("tests/flink_more.py::test_a") == "tests/flink_more.py"


def test_what_takes_longest_comes_first() -> None:
    names = [
        "tests/pipelines/scoring/test_stale_runs.py::d",
        "tests/storage/test_a.py::a",
        "tests/pipelines/test_b.py::b",
        "tests/flink/test_c.py::c",
    ]
    assert sorted(names, key=rank) == names[::-1]
