"""A checkpoint of a Delta log in Parquet, or a part of one: actions as rows, most of whose columns are not read.

Read as a stream, and no further than to a stated size: a stranger may have written it.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import InputError
from storage import files
from storage.parquet_chunks import check_chunks
from storage.parquet_depth import open_parquet
from transforms.formats.parquet_sizes import find_rows_of_leaves
from transforms.lakes.delta_actions import LEFT_OUT, STATISTICS, Action, name_file

HEADS = ("protocol", "metaData")
FILES = ("add", "sidecar")
# Of the columns that are read, decoded: ten million files.
_MOST_BYTES = 4 << 30
_ROWS_AT_ONCE = 4_096
_BATCH_BYTES = 64 << 20
_PARSED = "stats_parsed"
_OF_ROWS = "numRecords"


def read_checkpoint(
    url: str,
    kinds: Sequence[str],
    told_of: Collection[str] = (),
) -> Iterator[Action]:
    """Yield the actions of a file of a checkpoint.

    Args:
        url: the file.
        kinds: of actions.
        told_of: columns, as data files call them, whose statistics are wanted.

    Raises:
        InputError: it cannot be read, is no checkpoint, or larger than any.
    """
    try:
        with files.open_read(url) as source, open_parquet(source) as checkpoint:
            leaves = _choose_leaves(checkpoint, kinds)
            statistics = _choose_statistics(checkpoint, told_of)
            with_statistics = [*leaves, *statistics]
            # Without them more files are opened, and nothing else.
            if _count_decoded_bytes(checkpoint, with_statistics) <= _MOST_BYTES:
                leaves = with_statistics
            if _count_decoded_bytes(checkpoint, leaves) > _MOST_BYTES:
                raise InputError(
                    f"{url}: comes to more than {_MOST_BYTES:,} bytes, decoded, so it may "
                    "be a bomb; write the checkpoint again, in parts"
                )
            if not leaves:
                return
            # A dictionary makes a long text small however often it stands there.
            rows = find_rows_of_leaves(url, checkpoint, leaves, _ROWS_AT_ONCE, _BATCH_BYTES)
            batches = checkpoint.iter_batches(
                rows,
                columns=leaves,
                use_threads=False,
            )
            for batch in batches:
                for row in batch.to_pylist():
                    yield _make_action(row)
    except OSError as error:
        raise InputError(
            f"{url}: cannot be read: {error.strerror or error}; write the checkpoint again"
        ) from error
    except (pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{url}: is no checkpoint of a Delta log; write the checkpoint again"
        ) from error


def _choose_leaves(
    checkpoint: pq.ParquetFile,
    kinds: Sequence[str],
) -> list[str]:
    """Return the columns that tell of actions of some kinds, without what nobody reads."""
    not_read = (*LEFT_OUT, STATISTICS)
    leaves = []
    for path in _list_paths(checkpoint):
        kind, _, rest = path.partition(".")
        name, _, _ = rest.partition(".")
        if kind in kinds and name not in not_read:
            leaves.append(path)
    return leaves


def _choose_statistics(
    checkpoint: pq.ParquetFile,
    told_of: Collection[str],
) -> list[str]:
    """Return the columns that tell of data files' values: of some columns alone where there are such."""
    if not told_of:
        return []
    wanted = {f"add.{_PARSED}.{_OF_ROWS}"}
    for name in told_of:
        for kind in ("minValues", "maxValues", "nullCount"):
            path = f"add.{_PARSED}.{kind}.{name}"
            wanted.add(path)
    paths = _list_paths(checkpoint)
    parsed = [path for path in paths if path in wanted]
    whole = f"add.{STATISTICS}"
    # A writer leaves one of the two out, as a rule; numbers of rows alone tell of no column.
    if len(parsed) > 1 or whole not in paths:
        return parsed
    return [whole]


def _list_paths(checkpoint: pq.ParquetFile) -> list[str]:
    schema = checkpoint.schema
    # By number: it cannot be iterated over.
    numbers = range(len(schema))
    return [schema.column(number).path for number in numbers]


def _count_decoded_bytes(
    checkpoint: pq.ParquetFile,
    leaves: Sequence[str],
) -> int:
    wanted = set(leaves)
    paths = enumerate(_list_paths(checkpoint))
    columns = [number for number, path in paths if path in wanted]
    metadata = checkpoint.metadata
    groups = range(metadata.num_row_groups)
    check_chunks(metadata, groups, columns)
    decoded_bytes = 0
    for group in groups:
        row_group = metadata.row_group(group)
        for column in columns:
            chunk = row_group.column(column)
            decoded_bytes += chunk.total_uncompressed_size
    return decoded_bytes


def _make_action(row: dict[str, Any]) -> Action:
    """Return a row as JSON has it, where maps are objects."""
    for kind in (*HEADS, *FILES):
        # A stranger's column of that name may be of any type.
        if not isinstance(row.get(kind) or {}, dict):
            raise TypeError(kind)
    added = row.get("add")
    if added:
        name_file(added)
        values = added.get("partitionValues") or ()
        added["partitionValues"] = dict(values)
        parsed = added.pop(_PARSED, None)
        if parsed is not None:
            added[STATISTICS] = parsed
    metadata = row.get("metaData")
    if metadata:
        configuration = metadata.get("configuration") or ()
        metadata["configuration"] = dict(configuration)
    return row
