"""Columns in every physical form that Parquet files come in, and in every type with its extreme values."""

import numpy as np
import pyarrow as pa

ROWS = 60


def random_bits(dtype: pa.DataType, seed: int) -> pa.Array:
    """Values of any bits, the smallest and the largest among them, and a null."""
    rng = np.random.default_rng(seed)
    bits = dtype.bit_width
    whole = np.dtype(f"int{bits}")
    numbers = rng.integers(np.iinfo(whole).min, np.iinfo(whole).max, ROWS, whole, endpoint=True)
    numbers[:4] = [np.iinfo(whole).min, np.iinfo(whole).max, 0, -1]
    stored = pa.array(numbers, mask=np.arange(ROWS) == 5)
    return stored.view(dtype)


def limited(dtype: pa.DataType, limit: int, seed: int) -> pa.Array:
    """Whole numbers below a limit, from zero on: times of a day."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, limit, ROWS)
    numbers[:2] = [0, limit - 1]
    stored = pa.array(numbers.astype(f"int{dtype.bit_width}"), mask=np.arange(ROWS) == 5)
    return stored.view(dtype)


def every_type() -> dict[str, pa.Array]:
    """A column of each type that Parquet holds, by its name."""
    whole = [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
    unsigned = [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
    floats = [pa.float16(), pa.float32(), pa.float64()]
    days = [pa.date32()]
    moments = [
        pa.timestamp(unit, tz=zone)
        for unit in ("ms", "us", "ns")
        for zone in (None, "UTC", "+05:30")
    ]
    spans = [pa.duration(unit) for unit in ("s", "ms", "us", "ns")]
    types = [*whole, *unsigned, *floats, *days, *moments, *spans]
    columns = {str(dtype): random_bits(dtype, seed) for seed, dtype in enumerate(types)}
    for dtype, limit in {
        pa.time32("ms"): 86_400_000,
        pa.time64("us"): 86_400_000_000,
        pa.time64("ns"): 86_400_000_000_000,
    }.items():
        columns[str(dtype)] = limited(dtype, limit, seed=40)
    for make, digits in ((pa.decimal128, 38), (pa.decimal256, 76)):
        largest = "9" * digits
        texts = pa.array([f"-{largest}", largest, "0", "1", None] * (ROWS // 5))
        columns[str(make(digits, 0))] = texts.cast(make(digits, 0))
    texts = pa.array(["", "a\0b", "\U0010ffff", "é" * 300, None] * (ROWS // 5))
    for dtype in (pa.string(), pa.large_string(), pa.string_view()):
        columns[str(dtype)] = texts.cast(dtype)
        columns[f"bytes of {dtype}"] = texts.cast(pa.binary())
    columns["bool"] = pa.array([True, False, None] * (ROWS // 3))
    columns["bytes"] = pa.array([b"\xff\0", None] * (ROWS // 2), pa.binary(2))
    columns["null"] = pa.nulls(ROWS)
    return columns


def forms_of_texts() -> dict[str, pa.Array]:
    """Four texts, the third one missing, as each writer leaves them; and the same inside lists, structs and maps."""
    texts = pa.array(["x", "y", None, "x"])
    small = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), ["x", "y"])
    ordered = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None, 0], pa.uint32()), ["x", "y"], ordered=True
    )
    view = texts.cast(pa.string_view())
    offsets = pa.array([0, 1, None, 3, 4], pa.int32())
    third = pa.array([False, False, True, False])
    return {
        "string": texts,
        "large_string": texts.cast(pa.large_string()),
        "string_view": view,
        "dictionary": texts.dictionary_encode(),
        "small dictionary": small,
        "ordered dictionary": ordered,
        "binary_view": texts.cast(pa.binary()).cast(pa.binary_view()),
        "dictionary of bytes": texts.cast(pa.binary()).dictionary_encode(),
        "list of views": pa.ListArray.from_arrays(offsets, view),
        "list of dictionaries": pa.ListArray.from_arrays(offsets, texts.dictionary_encode()),
        "large list": pa.LargeListArray.from_arrays(offsets.cast(pa.int64()), texts),
        "list view": pa.ListViewArray.from_arrays(
            pa.array([2, 0, 1, 0], pa.int32()), pa.array([2, 1, 1, 0], pa.int32()), view, mask=third
        ),
        "struct of views": pa.StructArray.from_arrays([view], ["a"], mask=third),
        "map to views": pa.MapArray.from_arrays(offsets, pa.array(list("pqrs")), view),
    }


def same(actual: pa.ChunkedArray, expected: pa.ChunkedArray) -> bool:
    """Type, validity and every bit: NaN payloads and signs of zero count."""
    if (
        actual.type != expected.type
        or actual.is_null().to_pylist() != expected.is_null().to_pylist()
    ):
        return False
    # By their bits: Python has no date before the year 1, and one NaN.
    if pa.types.is_floating(actual.type) or pa.types.is_temporal(actual.type):
        bits = {16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}[actual.type.bit_width]
        return [_bits(actual, bits)] == [_bits(expected, bits)]
    return actual.to_pylist() == expected.to_pylist()


def _bits(column: pa.ChunkedArray, bits: pa.DataType) -> list[int]:
    return column.combine_chunks().drop_null().view(bits).to_pylist()
