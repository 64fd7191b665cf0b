"""How the data files of a table with a log are read: by the launcher, and by workers."""

from dataclasses import replace

from pipelines.planning.planned_table import PlannedTable
from transforms.formats.filtered import FilteredFormat
from transforms.formats.format import Format
from transforms.formats.loading import LoadingFormat
from transforms.formats.table_files import TableFormat
from transforms.lakes.stored_files import TableFiles


def with_table(format: Format, table: PlannedTable | None) -> Format:
    """Return the format that reads the files as the table's log says.

    Args:
        format: how the files themselves are read.
        table: None where there is none.
    """
    if table is None:
        return format
    known = {file.url: file for file in table.snapshot.files}
    return TableFormat(format, table.snapshot.columns, TableFiles(known=known))


def with_stored_table(format: Format, url: str) -> Format:
    """Return the format for workers, who read what the log said where it is stored.

    Args:
        format: of the plan.
        url: of what is stored.
    """
    # Not in the graph: it is as large as there are files.
    if isinstance(format, TableFormat):
        return replace(format, files=TableFiles(url))
    # Filters, and readers of files that rows name, stand around it.
    if isinstance(format, FilteredFormat | LoadingFormat):
        return replace(format, inner=with_stored_table(format.inner, url))
    return format
