"""Which columns may become folders: those of whose values every reader takes the text for the same value."""

import pyarrow as pa
import pytest

from transforms.output.partitioned_rows import can_be_folders

TEXT = pa.string()


@pytest.mark.parametrize(
    ("dtype", "can"),
    [
        (TEXT, True),
        (pa.large_string(), True),
        (pa.dictionary(pa.int8(), TEXT), True),
        (pa.bool_(), True),
        (pa.int8(), True),
        (pa.uint64(), True),
        (pa.date32(), True),
        (pa.float64(), False),
        (pa.decimal128(9, 2), False),
        (pa.timestamp("s"), False),
        (pa.binary(), False),
        (pa.list_(TEXT), False),
        (pa.null(), False),
    ],
    ids=str,
)
def test_texts_whole_numbers_days_and_flags_name_folders(dtype: pa.DataType, can: bool) -> None:
    assert can_be_folders(dtype) is can
