"""Which folders are output folders, by the names in them."""

import pytest

from storage.output_names import holds_runs, is_part, is_report, is_scored_folder


@pytest.mark.parametrize(
    ("name", "names", "is_scored"),
    [
        ("scored", ["_manifest.json", "scored"], True),
        ("scored", ["scored"], False),
        ("other", ["_manifest.json", "scored", "other"], False),
        ("scored", ["_manifest.json", "part-00000-0.parquet", "scored"], False),
        ("other", ["scored"], False),
    ],
)
def test_a_folder_of_scored_rows(name: str, names: list[str], is_scored: bool) -> None:
    assert is_scored_folder(name, names) is is_scored


def test_a_folder_of_runs_says_which_is_current() -> None:
    assert holds_runs(["runs", "CURRENT"])
    assert not holds_runs(["runs"])
    assert not holds_runs(["CURRENT"])
    assert [is_part(name) for name in ("part-1", "apart-1", "_manifest.json")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("name", "names", "is_one"),
    [
        ("report.html", ["_manifest.json", "report.html"], True),
        ("report.html", ["report.html"], False),
        ("other.html", ["_manifest.json", "other.html"], False),
    ],
)
def test_a_page_is_a_runs_report_beside_its_manifest(
    name: str, names: list[str], is_one: bool
) -> None:
    assert is_report(name, names) is is_one
