"""Done-records: one small file per unit that is written whole, which names the files of the attempt that counts.

A record is created if absent: of two attempts at one unit the first one recorded stands, and the files of
the other are removed.
"""

from dataclasses import asdict
import json
from typing import Any

from configs.errors import PublishError
from storage import files
from storage.layout import RunFolder, is_plain
from transforms.batches import WorkUnit, WrittenFile, WrittenPart


def finish_unit(run: RunFolder, unit: WorkUnit, part: WrittenPart) -> tuple[WrittenPart, ...]:
    """Record a whole unit as done, and return what the record says.

    That is another attempt's part if one was recorded before. A part that does not begin with the unit is
    not a whole one, and is returned as it is.
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
    for file in (*part.scored, *part.rejected):
        files.remove(files.join(run.attempts, file.path))
    return (recorded,)


def read_done_record(run: RunFolder, unit: int) -> WrittenPart | None:
    """Return the part that a unit's done-record names, or None when there is none.

    Raises:
        PublishError: what stands there is no done-record of the unit.
    """
    content = files.read(run.done_record(unit))
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
    files_by_kind: dict[str, Any] = {
        kind: tuple(WrittenFile(**entry) for entry in fields.pop(kind))
        for kind in ("scored", "rejected")
    }
    return WrittenPart(**fields, **files_by_kind)


def _refuse_foreign(part: WrittenPart, unit: int) -> None:
    """Refuse names that would lead out of the folder: whoever may write there gets no further."""
    names_are_plain = all(
        is_plain(file.path) and is_plain(file.sha256) for file in (*part.scored, *part.rejected)
    )
    if part.unit != unit or not names_are_plain:
        raise ValueError("another unit, or a path")
