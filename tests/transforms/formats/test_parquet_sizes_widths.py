"""Bytes of a value in memory, against arrays of many values."""

import pyarrow as pa
import pytest

from transforms.formats.parquet_sizes import find_width


@pytest.mark.parametrize(
    "dtype",
    [
        pa.int8(),
        pa.int16(),
        pa.int64(),
        pa.float16(),
        pa.float64(),
        pa.date32(),
        pa.timestamp("ns"),
        pa.decimal128(9, 2),
        pa.decimal256(50, 2),
        pa.binary(5),
        pa.list_(pa.int32(), 3),
        pa.list_(pa.list_(pa.int8(), 2), 2),
    ],
)
def test_values_of_one_size(dtype: pa.DataType) -> None:
    nothing = pa.nulls(64, dtype)
    buffers = [buffer for buffer in nothing.buffers() if buffer is not None]
    values = buffers[-1].size // 64
    assert find_width(dtype) == values


@pytest.mark.parametrize(("dtype", "width"), [(pa.bool_(), 1), (pa.null(), 1)])
def test_less_than_a_byte_is_one(dtype: pa.DataType, width: int) -> None:
    assert find_width(dtype) == width
    assert find_width(pa.list_(dtype, 7)) == 7


@pytest.mark.parametrize(
    "dtype",
    [
        pa.string(),
        pa.large_binary(),
        pa.list_(pa.int8()),
        pa.list_(pa.string(), 2),
        pa.dictionary(pa.int8(), pa.int8()),
        pa.struct([("a", pa.int8())]),
        pa.map_(pa.int8(), pa.int8()),
    ],
)
def test_values_that_differ_in_size(dtype: pa.DataType) -> None:
    assert find_width(dtype) is None


def test_an_extension_is_as_wide_as_its_storage() -> None:
    assert find_width(pa.fixed_shape_tensor(pa.float32(), [2, 3])) == 24
    assert find_width(pa.uuid()) == 16
