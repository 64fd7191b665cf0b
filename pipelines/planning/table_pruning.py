"""Leave out data files of a table of which its log tells that no row passes `source.where`.

Nothing of such a file is opened, or looked at; it need not even be there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
from pyarrow import DataType, Scalar
from pyarrow.types import is_decimal, is_floating, is_integer, is_timestamp

from configs.errors import InputError
from transforms.bounds import Bounds
from transforms.formats.column import Column
from transforms.formats.columns import choose_type
from transforms.lakes.snapshot import Snapshot
from transforms.logical_types import decoded_type
from transforms.where import SOURCE
from transforms.where_bounds import may_pass

# By column.
Types = Mapping[str, DataType]


def prune_table(snapshot: Snapshot, where: str, wanted: Sequence[Column]) -> Snapshot:
    """Return a snapshot without the data files of which no row can pass a filter.

    Args:
        snapshot: with what its log tells of each file.
        where: the filter.
        wanted: the columns that will be read, among them those of the filter.

    Raises:
        InputError: no file is left.
    """
    types = _list_types(snapshot, wanted)
    kept = []
    for data_file in snapshot.files:
        bounds = _cast_bounds(data_file.bounds, types)
        if may_pass(where, bounds):
            # Known from here on by its rows alone.
            kept.append(replace(data_file, bounds={}))
    count = len(snapshot.files) + snapshot.pruned
    if not kept:
        raise InputError(
            f"{SOURCE}: {where}: no row of any of the {count:,} data files of {snapshot.url} can "
            "pass, as the table's log tells; widen the filter, or choose another version"
        )
    return replace(snapshot, files=tuple(kept), pruned=count - len(kept))


def _list_types(snapshot: Snapshot, wanted: Sequence[Column]) -> Types:
    """Return the types that columns come out in, as the filter meets them."""
    in_table = {column.name: column.type for column in snapshot.columns}
    types = {}
    for column in wanted:
        stored = in_table.get(column.name)
        if stored is not None:
            types[column.name] = choose_type(column, [stored]) or stored
    return types


def _cast_bounds(
    bounds: Mapping[str, Bounds],
    types: Types,
) -> dict[str, Bounds]:
    cast = {}
    for name, known in bounds.items():
        if name in types:
            cast[name] = _cast(known, decoded_type(types[name]))
    return cast


def _cast(known: Bounds, dtype: DataType) -> Bounds:
    """Return what is known of values once they have another type."""
    least = _cast_end(known.least, dtype)
    most = _cast_end(known.most, dtype)
    if least is None or most is None:
        least = most = None
    return replace(known, least=least, most=most)


def _cast_end(end: Scalar | None, dtype: DataType) -> Scalar | None:
    if end is None or end.type == dtype:
        return end
    # Rounded, larger ones stay larger; of other types nobody knows.
    are_numbers = _is_number(end.type) and _is_number(dtype)
    are_moments = is_timestamp(end.type) and is_timestamp(dtype)
    if not are_numbers and not are_moments:
        return None
    try:
        return end.cast(dtype)
    except pa.ArrowException:
        return None


def _is_number(dtype: DataType) -> bool:
    return bool(is_integer(dtype) or is_floating(dtype) or is_decimal(dtype))
