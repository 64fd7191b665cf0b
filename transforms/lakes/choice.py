"""Which moment of a table a job wants, and where the table's files may be."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Choice:
    """Which version of a table is read; the newest where nothing says otherwise.

    Attributes:
        version: the log's number of it: a version, or the id of a snapshot.
        ref: a branch or tag.
        moment: the newest version that was there at that time.
        catalog: the name of the catalog that knows the table.
        outside: folders where its files may be that are not in its own.
        where: the job's filter of rows, if it has one.
        filtered_by: the columns that the filter reads.
    """

    version: int | None = None
    ref: str | None = None
    moment: datetime | None = None
    catalog: str | None = None
    outside: tuple[str, ...] = ()
    where: str | None = None
    filtered_by: tuple[str, ...] = ()
