"""Where the pages of row groups are, as this thread has read it last: who cuts a unit and who reads it ask for the same."""

from collections.abc import Mapping, Sequence
import threading
from types import MappingProxyType

from transforms.batches import WorkUnit
from transforms.formats.parquet_footer import list_leaves_of_columns, parse_footer, read_end
from transforms.formats.parquet_group_pages import FileVersion, GroupPages
from transforms.formats.parquet_page_index import read_page_index


class _Last(threading.local):
    """What this thread has read last, of which file, by number of the row group."""

    file: FileVersion | None = None
    groups: Mapping[int, GroupPages] = MappingProxyType({})


_last = _Last()


def remember_pages(unit: WorkUnit, groups: Mapping[int, GroupPages]) -> None:
    """Keep the pages of a unit's row groups for `load_pages`, which is asked for them next.

    Args:
        unit: row groups, or a part of one.
        groups: their pages, by number.
    """
    _last.file = FileVersion(unit.shard, unit.version)
    _last.groups = groups


def load_pages(unit: WorkUnit, number: int, names: Sequence[str]) -> GroupPages | None:
    """Return the pages of a row group, as they were read last or are read now; None where the index is no good.

    Args:
        unit: a part of the row group.
        number: of the row group.
        names: the columns that are read.

    Raises:
        InputError: the file cannot be read, or is no Parquet file any more.
    """
    if _last.file == FileVersion(unit.shard, unit.version):
        group = _last.groups.get(number)
        if group is not None and group.columns.keys() >= set(names):
            return group

    end = read_end(unit.shard)
    schema, metadata = parse_footer(end)
    columns = list_leaves_of_columns(schema, metadata, names)
    if columns is None:
        return None
    return read_page_index(end, metadata, number, columns, unit.bytes)
