"""What stands right inside of nested values, whatever kind of nest it is."""

import pyarrow as pa
from pyarrow import Array
from pyarrow.types import is_map

from transforms.logical_types import to_lists_of_pairs


def list_inside(array: Array) -> list[Array]:
    """Return the arrays that stand right inside of one, without what is beneath missing values.

    Args:
        array: lists of any kind, structs, maps, or an extension of any type.
    """
    if isinstance(array, pa.ExtensionArray):
        return [array.storage]
    if is_map(array.type):
        array = to_lists_of_pairs(array)
    inside = array.flatten()
    # Of structs an array for each of their fields.
    if isinstance(inside, list):
        return inside
    return [inside]
