"""The broken shards of a run: which ones there are, and what is published of them."""

from collections.abc import Iterable, Sequence
import hashlib
import io

import pyarrow as pa
from pyarrow import Schema, Table

from configs.errors import InputError
from storage import files
from storage.output_names import PART_PREFIX
from storage.run_folder import REJECTED, RunFolder
from transforms.batches import WrittenPart
from transforms.broken_shard import BrokenShard, Fields
from transforms.formats.output import find_output_format, plain_parquet

_DIGEST_DIGITS = 12


def list_broken(
    planned: Iterable[BrokenShard],
    parts: Iterable[WrittenPart],
) -> list[BrokenShard]:
    """Return all broken shards of a run: those that were left out first, then by name and row.

    Args:
        planned: those that the plan leaves out.
        parts: those that are published.
    """
    found = [shard for part in parts for shard in part.broken]
    in_order = sorted(found, key=_rank)
    return [*planned, *in_order]


def count_lost_rows(broken: Iterable[BrokenShard]) -> int:
    """Return how many rows have a record because their shard is broken."""
    return sum(shard.rows or 0 for shard in broken)


def publish_broken(
    run: RunFolder,
    broken: Sequence[BrokenShard],
    schema: Schema | None,
) -> dict[str, list[Fields]]:
    """Put a record of each shard of whose rows none is recorded among the rejected rows.

    Args:
        run: the run.
        broken: its broken shards.
        schema: columns of the records of rejected rows.

    Returns:
        `rejected_shards`: the entry of the file; nothing where every lost row has a record.
    """
    unknown = [shard for shard in broken if shard.rows is None]
    if not unknown or schema is None:
        return {}
    content = _encode_records(unknown, schema)
    digest = hashlib.sha256(content).hexdigest()
    path = f"{REJECTED}/{PART_PREFIX}shards-{digest[:_DIGEST_DIGITS]}.parquet"
    files.make_folder(run.published)
    files.make_folder(run.rejected)
    # Only where there is none: a launcher that was faster has put the same one.
    files.create(files.join(run.published, path), content, scratch=run.temporary)
    # Its own name, and that of its folder.
    files.sync_folder(run.rejected)
    files.sync_folder(run.published)
    entry = {"path": path, "rows": len(unknown), "bytes": len(content), "sha256": digest}
    return {"rejected_shards": [entry]}


def _encode_records(broken: Sequence[BrokenShard], schema: Schema) -> bytes:
    """Return the records as a Parquet file with the columns of rejected rows.

    A row's number is missing: it is what tells such a record from that of a row.
    """
    texts = {
        "source": [shard.shard for shard in broken],
        "stage": [shard.stage for shard in broken],
        "error": [InputError.__name__] * len(broken),
        "message": [shard.message for shard in broken],
    }
    columns = []
    for field in schema:
        if field.name in texts:
            column = pa.array(texts[field.name], type=field.type)
        else:
            column = pa.nulls(len(broken), type=field.type)
        columns.append(column)
    sink = io.BytesIO()
    writer = find_output_format("parquet").open_writer(sink, plain_parquet(schema))
    records = Table.from_arrays(columns, schema=schema)
    writer.write_table(records)
    writer.close()
    return sink.getvalue()


def _rank(shard: BrokenShard) -> tuple[str, int]:
    return (shard.shard, shard.row)
