"""What a Parquet footer's statistics say of missing values: how many, without reading a row."""

from collections.abc import Sequence

import pyarrow.parquet as pq

from transforms.formats.format import NullCounts
from transforms.formats.parquet_footer import (
    list_columns_of_leaves,
    list_groups,
    read_footer,
    refuse_encrypted_columns,
)


def count_nulls(url: str, names: Sequence[str]) -> NullCounts:
    """Return how many rows of a file have no value in some columns, as far as its footer tells.

    Args:
        url: the file.
        names: the columns; the file has each of them once.

    Raises:
        InputError: the file cannot be read.
    """
    _, metadata = read_footer(url, {})
    # To ask pyarrow about an encrypted column ends the process.
    refuse_encrypted_columns(url, metadata)
    leaves: dict[str, list[int]] = {name: [] for name in names}
    for number, name in list_columns_of_leaves(metadata, set(names)).items():
        leaves[name].append(number)
    return {name: _count_of_column(metadata, numbers) for name, numbers in leaves.items()}


def _count_of_column(metadata: pq.FileMetaData, leaves: Sequence[int]) -> int | None:
    total = 0
    for number in leaves:
        nulls = _count_of_leaf(metadata, number)
        if nulls is None:
            return None
        total += nulls
    # A list that is missing, one that is empty, and a value that is missing in one count alike.
    is_nested = any("." in metadata.schema.column(number).path for number in leaves)
    if is_nested and total:
        return None
    return total


def _count_of_leaf(metadata: pq.FileMetaData, number: int) -> int | None:
    # Of one that must be there, nobody counts.
    if not metadata.schema.column(number).max_definition_level:
        return 0
    total = 0
    for group in list_groups(metadata):
        if not group.num_rows:
            continue
        statistics = group.column(number).statistics
        if statistics is None or not statistics.has_null_count:
            return None
        total += statistics.null_count
    return total
