"""Which rows of the training a package is proven on: ten thousand, from the first to the last."""

import pyarrow as pa
import pytest

from configs.errors import PublishError
from pipelines.training.writing import _thin_out, written_to


@pytest.mark.parametrize(("rows", "kept"), [(9_999, 9_999), (10_000, 10_000), (10_001, 10_000)])
def test_ten_thousand_rows_are_enough(rows: int, kept: int) -> None:
    table = pa.table({"row": range(rows)})
    numbers = _thin_out(table)["row"].to_pylist()
    assert len(numbers) == len(set(numbers)) == kept
    assert (numbers[0], numbers[-1]) == (0, rows - 1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(28, "No space left on device"), "No space left"), (OSError("refused"), "refused")],
)
def test_a_place_that_takes_nothing_is_told_in_words_of_the_system_or_the_store(
    error: OSError, reason: str
) -> None:
    expected = f"output models/1: cannot be written: {reason}"
    with pytest.raises(PublishError, match=expected), written_to("models/1"):
        raise error
