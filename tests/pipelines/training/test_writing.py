"""Which rows of the training a package is proven on: ten thousand, from the first to the last."""

import pyarrow as pa
import pytest

from pipelines.training.writing import _thin_out


@pytest.mark.parametrize(("rows", "kept"), [(9_999, 9_999), (10_000, 10_000), (10_001, 10_000)])
def test_ten_thousand_rows_are_enough(rows: int, kept: int) -> None:
    table = pa.table({"row": range(rows)})
    numbers = _thin_out(table)["row"].to_pylist()
    assert len(numbers) == len(set(numbers)) == kept
    assert (numbers[0], numbers[-1]) == (0, rows - 1)
