"""Lists that would fill the memory once they are padded are refused, up to the very number."""

import pytest

from configs.errors import JobError
from pipelines.packing.contract.lists import refuse_large


@pytest.mark.parametrize(("numbers", "rows"), [(1 << 20, 256), (1 << 18, 1 << 10), (1, 1 << 28)])
def test_as_many_numbers_as_are_taken(numbers: int, rows: int) -> None:
    refuse_large("clicks", numbers, rows)


@pytest.mark.parametrize(
    ("numbers", "rows"), [((1 << 20) + 1, 1), ((1 << 20), 257), (1, (1 << 28) + 1)]
)
def test_one_more_is_too_many(numbers: int, rows: int) -> None:
    with pytest.raises(JobError, match=r"column 'clicks': .*say a smaller lengths.clicks with cut"):
        refuse_large("clicks", numbers, rows)
