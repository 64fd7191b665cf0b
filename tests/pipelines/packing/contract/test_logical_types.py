"""A contract names what values mean, and not how a file happens to keep them."""

import pyarrow as pa
import pytest

from pipelines.packing.contract.logical_types import to_logical_type


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        (pa.decimal32(5, 2), pa.decimal128(5, 2)),
        (pa.decimal64(12, 3), pa.decimal128(12, 3)),
        (pa.decimal256(50, 4), pa.decimal256(50, 4)),
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.large_binary(), pa.binary()),
        (pa.binary_view(), pa.binary()),
        (pa.dictionary(pa.int8(), pa.large_string()), pa.string()),
        (pa.large_list(pa.string_view()), pa.list_(pa.string())),
        (pa.date64(), pa.date32()),
        (pa.timestamp("s", "Asia/Kathmandu"), pa.timestamp("us", "UTC")),
        (pa.timestamp("ns"), pa.timestamp("ns")),
        (pa.time32("ms"), pa.time64("us")),
        (pa.duration("s"), pa.duration("us")),
        (pa.int16(), pa.int16()),
    ],
    ids=str,
)
def test_values_are_the_same_however_they_are_kept(stored: pa.DataType, meant: pa.DataType) -> None:
    assert to_logical_type(stored) == meant
