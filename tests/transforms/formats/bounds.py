"""What statistics of row groups tell of some columns of a file, for tests."""

from typing import NamedTuple

from pyarrow import Schema

from transforms.bounds import Bounds
from transforms.formats.parquet_footer import list_groups, read_footer
from transforms.formats.parquet_statistics import find_bounds, list_plain_columns


class GroupBounds(NamedTuple):
    rows: int
    bounds: dict[str, Bounds]


def list_bounds(url: str, fields: Schema) -> list[GroupBounds]:
    """The rows of each row group, and what is known of the columns there."""
    schema, metadata = read_footer(url)
    columns = list_plain_columns(schema, metadata, fields)
    return [
        GroupBounds(
            group.num_rows, {name: find_bounds(group, column) for name, column in columns.items()}
        )
        for group in list_groups(metadata)
    ]
