"""Numbers that are written with a decimal comma, as most of Europe writes them: with the point that parsers know."""

from pyarrow import Array, DataType, RecordBatch, Schema
import pyarrow.compute as pc
from pyarrow.types import is_decimal, is_floating

POINT = "."
COMMA = ","
# Stands for one of them while the other takes its place; in no number.
_BETWEEN = "\x01"


def has_mark(dtype: DataType) -> bool:
    """Tell whether values of a type may have a decimal mark."""
    return bool(is_floating(dtype) or is_decimal(dtype))


def exchange_marks(texts: Array) -> Array:
    """Return texts with commas for points and points for commas.

    So a number with a comma is one with a point, and one with a point, which may be a thousand where
    commas are meant, is no number.

    >>> import pyarrow as pa
    >>> exchange_marks(pa.array([b"1,5", b"1.234,5", None])).to_pylist()
    [b'1.5', b'1,234.5', None]
    """
    without_points = pc.replace_substring(texts, POINT, _BETWEEN)
    with_points = pc.replace_substring(without_points, COMMA, POINT)
    return pc.replace_substring(with_points, _BETWEEN, COMMA)


def use_points(fields: RecordBatch, schema: Schema, decimal: str) -> RecordBatch:
    """Return fields whose numbers are written with a point.

    Args:
        fields: columns of `pa.binary()`, as they stand in the file.
        schema: names and types of columns, in any order.
        decimal: the mark that the file's numbers have.
    """
    # Nearly always.
    if decimal == POINT:
        return fields
    columns = []
    for name, texts in zip(fields.schema.names, fields.columns, strict=True):
        column = texts
        if has_mark(schema.field(name).type):
            column = exchange_marks(texts)
        columns.append(column)
    return RecordBatch.from_arrays(columns, schema=fields.schema)
