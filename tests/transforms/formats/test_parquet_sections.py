"""Rows of a row group in parts: those that are read, and those before, between and behind them."""

from transforms.formats.parquet_sections import _list_parts


def test_rows_are_in_parts_that_follow_each_other() -> None:
    def list_parts(*ranges: range) -> list[tuple[int, int, bool]]:
        """First row, rows and whether they are read, of rows 10 to 40."""
        parts = _list_parts(2, range(10, 40), ranges)
        assert all((part.number, part.is_cut) == (2, True) for part in parts)
        return [(part.first_row, part.rows, part.may_pass) for part in parts]

    assert list_parts() == [(10, 30, False)]
    assert list_parts(range(10, 40)) == [(10, 30, True)]
    assert list_parts(range(10, 15)) == [(10, 5, True), (15, 25, False)]
    assert list_parts(range(15, 20), range(30, 40)) == [
        *((10, 5, False), (15, 5, True)),
        *((20, 10, False), (30, 10, True)),
    ]
