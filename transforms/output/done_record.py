"""Done-records: one small file per unit that is written whole, which names the attempt that counts.

A record is created if absent: of two attempts at one unit the first one recorded stands, and the
files of the other are removed.
"""

from collections.abc import Sequence
from dataclasses import asdict
import json
from typing import Any

from configs.errors import PublishError
from storage import files
from storage.layout import RunFolder, is_plain
from transforms.batches import WorkUnit, WrittenFile, WrittenPart


def finish_unit(run: RunFolder, unit: WorkUnit, part: WrittenPart) -> tuple[WrittenPart, ...]:
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
    content = json.dumps(asdict(part)).encode()
    record = run.done_record(unit.index)
    if files.create(record, content, synced=False, scratch=run.temporary):
        return (part,)
    recorded = read_done_record(run, unit.index)
    # Our own attempt stands there where a store's answer was lost, and its client asked again.
    if recorded is None or recorded.attempt == part.attempt:
        return (part,)
    for file in _list_files(part):
        url = files.join(run.attempts, file.path)
        files.remove(url)
    return (recorded,)


def read_done_record(run: RunFolder, unit: int) -> WrittenPart | None:
    """Return the part that a unit's done-record names, or None when there is none.

    Args:
        run: the run.
        unit: index of the unit.

    Raises:
        PublishError: what stands there is no done-record of the unit.
    """
    content = files.read(run.done_record(unit))
    # Empty where the machine crashed: a record is not synced.
    if not content:
        return None
    try:
        part = _decode(json.loads(content))
        _refuse_foreign(part, unit)
    except (AttributeError, ValueError, TypeError, KeyError) as error:
        raise PublishError(
            f"{run.done_record(unit)}: is not a done-record; remove {run.temporary} and run again"
        ) from error
    return part


def _decode(fields: dict[str, Any]) -> WrittenPart:
    scored = _decode_files(fields.pop("scored"))
    rejected = _decode_files(fields.pop("rejected"))
    return WrittenPart(**fields, scored=scored, rejected=rejected)


def _decode_files(entries: Sequence[dict[str, Any]]) -> tuple[WrittenFile, ...]:
    return tuple(WrittenFile(**entry) for entry in entries)


def _list_files(part: WrittenPart) -> list[WrittenFile]:
    return [*part.scored, *part.rejected]


def _refuse_foreign(part: WrittenPart, unit: int) -> None:
    """Refuse names that would lead out of the folder: whoever may write there gets no further."""
    if part.unit != unit or not _has_plain_names(part):
        raise ValueError("another unit, or a path")


def _has_plain_names(part: WrittenPart) -> bool:
    for file in _list_files(part):
        # The digest, too: it becomes a part of the file's final name.
        if not is_plain(file.path) or not is_plain(file.sha256):
            return False
    return True
