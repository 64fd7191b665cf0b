"""Done-records: one small file per unit that is written whole, which names the attempt that counts.

A record is created if absent: of two attempts at one unit the first one recorded stands, and the
files of the other are removed. It is not synced: of a machine that crashed a disk may keep the
record's name, and none or not all of its bytes. Such a torn one counts as none, and is written
again.
"""

from collections.abc import Sequence
from dataclasses import asdict
import json
from typing import Any

from configs.errors import PublishError
from storage import files
from storage.json_pieces import parse_json
from storage.packed import pack_many
from storage.partition_names import is_path_of_names
from storage.run_folder import RunFolder, is_plain
from transforms.batches import WorkUnit, WrittenFile, WrittenPart
from transforms.broken_shard import parse_broken


def finish_unit(
    run: RunFolder,
    unit: WorkUnit,
    part: WrittenPart,
) -> tuple[WrittenPart, ...]:
    """Record a whole unit as done, and return what the record says.

    That is another attempt's part if one was recorded before.

    Args:
        run: the run.
        unit: the unit, which ends with the part.
        part: what this attempt wrote; one that does not begin with the unit is not a whole one, and
            is returned as it is.
    """
    if part.first_row != unit.first_row:
        return (part,)
    # The record may name the files only once their names are durable.
    files.sync_folder(run.attempts)
    files.make_folder(run.done, above=False)
    # Not synced: a crash of the machine that loses it costs the unit's work, and nothing else.
    fields = asdict(part)
    # So that records of most jobs are what they always were.
    if not part.summaries:
        del fields["summaries"]
    fields["broken"] = [shard.describe() for shard in part.broken]
    if not part.broken:
        del fields["broken"]
    content = json.dumps(fields).encode()
    record = run.done_record(unit.index)
    if files.create(record, content, synced=False, scratch=run.temporary):
        return (part,)
    recorded = read_done_record(run, unit.index)
    if recorded is None:
        # Torn, or removed meanwhile.
        files.replace(record, content, scratch=run.temporary)
        return (part,)
    # Our own attempt stands there where a store's answer was lost, and its client asked again.
    if recorded.attempt == part.attempt:
        return (part,)
    for file in _list_files(part):
        url = files.join(run.attempts, file.path)
        files.remove(url)
    return (recorded,)


def read_done_record(run: RunFolder, unit: int) -> WrittenPart | None:
    """Return the part that a unit's done-record names, or None when there is none, or a torn one.

    Args:
        run: the run.
        unit: index of the unit.

    Raises:
        PublishError: what stands there is no done-record of the unit.
    """
    fields = _read_fields(run.done_record(unit))
    if fields is None:
        return None
    try:
        part = _decode(fields)
        _refuse_foreign(part, unit)
    except (AttributeError, ValueError, TypeError, KeyError) as error:
        raise PublishError(
            f"{run.done_record(unit)}: is not a done-record; remove {run.temporary} and run again"
        ) from error
    return part


def is_done(run: RunFolder, unit: int) -> bool:
    """Tell whether a unit has a done-record that is whole.

    Args:
        run: the run.
        unit: index of the unit.
    """
    return _read_fields(run.done_record(unit)) is not None


def remove_torn_records(run: RunFolder) -> int:
    """Remove the torn records of a run, and return how many there were.

    On a disk only: an object of a store is whole.
    """
    if not files.is_local(run.output):
        return 0
    removed = 0
    for name in files.list_names(run.done):
        record = files.join(run.done, name)
        # A hidden one is being written.
        if not name.startswith(".") and _read_fields(record) is None:
            files.remove(record)
            removed += 1
    return removed


def _read_fields(record: str) -> Any:
    """Return what a record holds; None when there is none, or a torn one."""
    content = files.read(record)
    if content is None:
        return None
    try:
        return parse_json(content)
    # Nothing, zeros, or a part: JSON that is cut, or holds a zero byte, is none.
    except ValueError:
        return None


def _decode(fields: dict[str, Any]) -> WrittenPart:
    scored = _decode_files(fields.pop("scored"))
    rejected = _decode_files(fields.pop("rejected"))
    summaries = _decode_files(fields.pop("summaries", ()))
    broken = tuple(map(parse_broken, fields.pop("broken", ())))
    # Records of older versions have none: their units had one shard.
    counts = fields.pop("shards", ())
    shards = pack_many(map(tuple, counts))
    return WrittenPart(
        **fields,
        scored=scored,
        rejected=rejected,
        shards=shards,
        summaries=summaries,
        broken=broken,
    )


def _decode_files(entries: Sequence[dict[str, Any]]) -> tuple[WrittenFile, ...]:
    return tuple(WrittenFile(**entry) for entry in entries)


def _list_files(part: WrittenPart) -> list[WrittenFile]:
    return [*part.scored, *part.rejected, *part.summaries]


def _refuse_foreign(part: WrittenPart, unit: int) -> None:
    """Refuse names that would lead out of the folder: whoever may write there gets no further."""
    if part.unit != unit or not _has_plain_names(part):
        raise ValueError("another unit, or a path")


def _has_plain_names(part: WrittenPart) -> bool:
    for file in _list_files(part):
        # The digest, too: it becomes a part of the file's final name.
        names = (file.path, file.sha256)
        if not all(map(is_plain, names)):
            return False
        if file.partition and not is_path_of_names(file.partition):
            return False
    return True
