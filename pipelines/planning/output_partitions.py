"""Which carried columns may become the names of folders: `sink.partition_by`."""

from collections.abc import Sequence
from typing import Any

from pyarrow import Schema

from configs.errors import JobError
from configs.job import Source
from configs.suggest import nearest
from transforms.output.partitioned_rows import can_be_folders


def check_partitions(
    names: Sequence[str],
    source: Source[Any],
    columns: Schema,
) -> None:
    """Refuse columns that cannot be the names of folders.

    Args:
        names: `sink.partition_by`.
        source: the job's.
        columns: all that come out.

    Raises:
        JobError: the first such column.
    """
    what = "sink.partition_by"
    for name in names:
        if names.count(name) > 1:
            raise JobError(f"{what} names {name!r} twice; name each column once")
        if name == source.key:
            raise JobError(f"{what}: {name!r} is the key, so each row would have its own folder")
        if name not in source.carried:
            hint = nearest(name, source.carried)
            raise JobError(
                f"{what} names {name!r}, which is not carried{hint}; add it to source.passthrough"
            )
        # Readers skip folders that begin so, and all rows in them.
        if name[:1] in ("", ".", "_"):
            raise JobError(
                f"{what}: readers skip a folder {name}=..., as its name begins with . or _; "
                "take another column"
            )
        dtype = columns.field(name).type
        if not can_be_folders(dtype):
            raise JobError(
                f"{what}: column {name!r} is {dtype}, which no folder is named by; take texts, "
                "integers, dates or booleans"
            )
