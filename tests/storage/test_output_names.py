"""Which folders are output folders, by the names in them."""

import pytest

from storage.output_names import holds_runs, is_part, is_scored_folder


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
