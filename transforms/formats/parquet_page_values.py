"""What the page index of a Parquet file says of the values on each page of a leaf.

It is believed as the statistics of row groups are, and no further: of a page whose bounds contradict
themselves nothing is known.
"""

from collections.abc import Sequence
from itertools import pairwise
import struct
from typing import Any, TypeAlias

from pyarrow.parquet import ColumnSchema

from storage.thrift import (
    Struct,
    list_structs,
    list_values,
    read_bytes,
    read_int,
    read_struct,
    read_truth,
)
from transforms.formats.parquet_group_pages import PageValues

# As they are stored; of other types no bounds are known.
_NUMBERS = {"INT32": "<i", "INT64": "<q", "FLOAT": "<f", "DOUBLE": "<d"}
_TEXTS = "BYTE_ARRAY"
# A field of the footer, and the order of a leaf's type there.
_COLUMN_ORDERS = 7
_ORDER_OF_TYPE = 1
# Fields of the index of values: whether a page has nothing but nulls, its bounds, and how many nulls it has.
_NULL_PAGES = 1
_LEAST = 2
_MOST = 3
_NULL_COUNTS = 5
# Least and most, as they are stored.
_Ends: TypeAlias = tuple[Any, Any]
_NO_ENDS = (None, None)


def list_ordered(footer: Struct) -> set[int]:
    """Return the leaves whose values are in the order that their type defines; of others bounds say nothing."""
    if _COLUMN_ORDERS not in footer:
        return set()
    orders = list_structs(footer[_COLUMN_ORDERS])
    return {leaf for leaf, order in enumerate(orders) if _ORDER_OF_TYPE in order}


def list_page_values(
    index: bytes,
    leaf: ColumnSchema,
    first_rows: Sequence[int],
) -> list[PageValues]:
    """Return what is known of the values on each page.

    Args:
        index: of the leaf.
        leaf: in the file's schema.
        first_rows: of each page, and how many rows there are.

    Raises:
        IndexError, KeyError, ValueError: it is none.
    """
    told = read_struct(index).fields
    null_pages = [read_truth(item) for item in list_values(told[_NULL_PAGES])]
    lower = [read_bytes(item) for item in list_values(told[_LEAST])]
    upper = [read_bytes(item) for item in list_values(told[_MOST])]
    null_counts = _list_null_counts(told, len(null_pages))
    rows = [following - first for first, following in pairwise(first_rows)]
    is_optional = leaf.max_definition_level > 0

    values = []
    pages = zip(null_pages, lower, upper, null_counts, rows, strict=True)
    for is_null, least, most, nulls, rows_here in pages:
        if is_null:
            # What contradicts itself says nothing: any row may have a value then.
            is_contrary = not is_optional or nulls not in (None, rows_here)
            here = PageValues(*_NO_ENDS, may_be_null=True, may_be_value=is_contrary)
        else:
            ends = _read_ends(least, most, leaf.physical_type)
            may_be_null = is_optional and nulls != 0
            here = PageValues(*ends, may_be_null, may_be_value=True)
        values.append(here)
    return values


def _list_null_counts(told: Struct, pages: int) -> list[int | None]:
    """Return how many nulls each page has; None of each where the index does not tell."""
    if _NULL_COUNTS not in told:
        return [None] * pages
    return [read_int(item) for item in list_values(told[_NULL_COUNTS])]


def _read_ends(lower: bytes, upper: bytes, physical_type: str) -> _Ends:
    """Return the ends of a range as they are stored; None where they are none, or of a type without any."""
    if physical_type == _TEXTS:
        return (lower, upper) if lower <= upper else _NO_ENDS
    form = _NUMBERS.get(physical_type)
    if form is None:
        return _NO_ENDS
    try:
        (least,) = struct.unpack(form, lower)
        (most,) = struct.unpack(form, upper)
    except struct.error:
        return _NO_ENDS
    # Nor is NaN, which some writers took for a number, an end.
    return (least, most) if least <= most else _NO_ENDS
