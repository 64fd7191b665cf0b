"""Amounts as the numbers that steps and networks take: of each decimal the nearest double."""

import pyarrow as pa
from pyarrow import Array
import pyarrow.compute as pc

# A double holds every whole number of so many digits, and powers of ten up to this one.
_MOST_DIGITS = 15
_MOST_SCALE = 22


def to_nearest_doubles(column: Array) -> Array:
    """Return decimals as float64, each the one that `float` of the decimal is; nulls stay.

    Arrow's own cast multiplies by a power of ten that no double holds, which moves the last bit of
    every seventh price.

    >>> to_nearest_doubles(pa.array(["0.07", None]).cast(pa.decimal128(5, 2))).to_pylist()
    [0.07, None]
    """
    precision = column.type.precision
    scale = column.type.scale
    has_exact_power = 0 <= scale <= _MOST_SCALE
    if precision > _MOST_DIGITS or not has_exact_power:
        texts = column.cast(pa.string())
        return texts.cast(pa.float64())
    # Whole numbers and powers of ten that are exact, so that only their quotient is rounded.
    wide_type = pa.decimal128(precision, scale)
    whole_type = pa.decimal128(precision, 0)
    # The same bits without a point: 0.07 of scale 2 is 7.
    whole = column.cast(wide_type).view(whole_type)
    units = whole.cast(pa.int64())
    numerator = units.cast(pa.float64())
    denominator = 10.0**scale
    return pc.divide(numerator, denominator)
