"""The comparison with and without a page index runs, and every filter keeps the rows that it says."""

from pathlib import Path

from tests.benchmarks.page_index import compare


def test_every_filter_keeps_its_rows(tmp_path: Path) -> None:
    head, *lines = compare(tmp_path, rows=2_000, columns=2)
    assert head.split()[:3] == ["row", "groups", "of"]
    found = [tuple(line.split()[1:3]) for line in lines]
    assert (
        found == [(index, kept) for index in ("no", "yes") for kept in ("1", "10", "50", "100")] * 2
    )
