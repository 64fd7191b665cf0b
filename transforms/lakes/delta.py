"""A Delta table at one version: its columns, its data files, and their deleted rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
import re
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from configs.errors import InputError, JobError
from transforms.lakes.choice import Choice
from transforms.lakes.counts import read_count
from transforms.lakes.deleted_rows import DELTA_VECTOR, decode_z85
from transforms.lakes.delta_actions import Action
from transforms.lakes.delta_log import ChooseColumns, DeltaLog, State, list_log
from transforms.lakes.delta_schema import list_columns, refuse_unknown_features
from transforms.lakes.delta_statistics import read_statistics
from transforms.lakes.inside import place_file
from transforms.lakes.snapshot import DataFile, Deletions, Snapshot, TableColumn

_IN_COMMIT_TIMESTAMPS = "delta.enableInCommitTimestamps"
# The random part of a name, if any, stands before an id of so many letters.
_ID_LETTERS = 20
_IN_TABLE = "u"
_INLINE = "i"
_ABSOLUTE = "p"
_PREFIX = re.compile(r"[A-Za-z0-9]*")


def read_delta(url: str, choice: Choice) -> Snapshot:
    """Return a table at a version.

    Args:
        url: the folder of the table.
        choice: which version, and which folders outside of it its files may be in.

    Raises:
        InputError: it is no Delta table, or cannot be read.
        JobError: there is no such version.
    """
    try:
        log = list_log(url)
    except OSError as error:
        raise InputError(
            f"source.paths {url}: cannot be listed: {error.strerror}; "
            "check the address, credentials and permissions"
        ) from error
    version = _choose_version(log, choice)
    state = log.replay(version, _choose_statistics(url, choice))
    refuse_unknown_features(url, state.protocol)
    metadata = _require_metadata(url, state)
    columns = list_columns(url, metadata)
    found: dict[str, DataFile] = {}
    for file in _iterate_files(url, state, columns, choice):
        # Under two spellings, or with two sets of deleted rows: its rows would be scored twice.
        if file.url in found:
            raise InputError(
                f"{url}: its log names {file.url} twice in version {version}; restore the log"
            )
        found[file.url] = file
    data_files = tuple(found.values())
    return Snapshot("delta", url, version, columns, data_files)


def _iterate_files(
    url: str,
    state: State,
    columns: Sequence[TableColumn],
    choice: Choice,
) -> Iterator[DataFile]:
    stored_names = {column.stored_name: column.name for column in columns}
    filtered_by = [column for column in columns if column.name in choice.filtered_by]
    for added in state.added.values():
        file = _make_file(url, added, stored_names, choice.outside)
        # Of a table of a million files, statistics that nobody asks for are a million dictionaries.
        if filtered_by:
            told = read_statistics(added, file.values, filtered_by)
            file = replace(file, bounds=told.bounds)
        yield file


def _choose_statistics(
    url: str,
    choice: Choice,
) -> ChooseColumns | None:
    """Return what tells of the newest metadata the columns whose statistics are wanted."""
    if not choice.filtered_by:
        return None

    def choose(metadata: Action) -> list[str]:
        columns = list_columns(url, metadata)
        return [column.stored_name for column in columns if column.name in choice.filtered_by]

    return choose


def _choose_version(log: DeltaLog, choice: Choice) -> int:
    newest = log.newest
    if choice.version is not None:
        if not 0 <= choice.version <= newest:
            raise JobError(
                f"source.version {choice.version}: {log.url} has no such version; "
                f"its newest is {newest}"
            )
        return choice.version
    if choice.moment is None:
        return newest
    chosen = _find_version_at(log, choice.moment)
    if chosen is not None:
        return chosen
    oldest = min(log.commits, default=newest)
    moment = choice.moment.isoformat()
    raise JobError(
        f"source.timestamp {moment}: {log.url} has no version of that time; "
        f"the oldest that its log tells the time of is {oldest}"
    )


def _find_version_at(log: DeltaLog, moment: datetime) -> int | None:
    """Return the newest version that was there at a time; None where the log tells of none."""
    seconds = moment.timestamp()
    is_in_commits = _tells_times(log)
    numbers = sorted(log.commits)
    # Such times never go back, and each is read from a file, so the newest come first.
    while is_in_commits and numbers:
        number = numbers[-1]
        milliseconds = _read_commit_time(log, number)
        # Older than the table's wish to have them in commits.
        if milliseconds is None:
            break
        if milliseconds <= seconds * 1_000:
            return number
        numbers.pop()
    chosen: int | None = None
    newest_time = 0.0
    for number in numbers:
        # Of a log that was copied, files have times in any order; versions have not.
        own_time = log.commits[number].seconds
        newest_time = max(newest_time, own_time)
        if newest_time > seconds:
            break
        chosen = number
    return chosen


def _tells_times(log: DeltaLog) -> bool:
    """Tell whether commits say when they were made, and not their files' times alone."""
    # Asked of the newest version: whether the table has such times may have changed on the way.
    state = log.replay(log.newest)
    metadata = _require_metadata(log.url, state)
    configuration = metadata.get("configuration") or {}
    told: bool = configuration.get(_IN_COMMIT_TIMESTAMPS) == "true"
    return told


def _read_commit_time(log: DeltaLog, number: int) -> int | None:
    """Return the time that a commit says it was made at, in milliseconds since 1970; None where it says none."""
    for action in log.read_commit(number):
        info = action.get("commitInfo") or {}
        milliseconds = info.get("inCommitTimestamp")
        if type(milliseconds) is int:
            return milliseconds
    return None


def _require_metadata(url: str, state: State) -> Action:
    if state.metadata is None:
        raise InputError(f"{url}: its log says nothing of the table's columns; restore the log")
    return state.metadata


def _make_file(
    url: str,
    added: Action,
    stored_names: Mapping[str, str],
    outside: Sequence[str],
) -> DataFile:
    escaped = str(added["path"])
    path = unquote(escaped)
    place = place_file(url, path, outside)
    values: dict[str, str | None] = {}
    given: Mapping[str, Any] = added.get("partitionValues") or {}
    for stored_name, value in given.items():
        # The log writes null as an empty text, too.
        text = None if value in (None, "") else str(value)
        name = stored_names.get(stored_name, stored_name)
        values[name] = text
    vector = added.get("deletionVector")
    if not vector:
        return DataFile(place, values)
    deletions = _make_deletions(url, vector, outside)
    return DataFile(place, values, (deletions,))


def _make_deletions(
    url: str,
    vector: Action,
    outside: Sequence[str],
) -> Deletions:
    kind = vector.get("storageType")
    text = str(vector.get("pathOrInlineDv"))
    try:
        size_bytes = read_count(vector["sizeInBytes"])
        rows = read_count(vector["cardinality"])
        offset = read_count(vector.get("offset") or 0)
        if kind == _INLINE:
            return Deletions(
                DELTA_VECTOR,
                bytes=size_bytes,
                inline=text,
                rows=rows,
            )
        path = _find_vector_file(kind, text)
        place = place_file(url, path, outside)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{url}: its log names a deletion vector that is not readable; restore the log"
        ) from error
    return Deletions(
        DELTA_VECTOR,
        url=place,
        offset=offset,
        bytes=size_bytes,
        rows=rows,
    )


def _find_vector_file(kind: Any, text: str) -> str:
    if kind == _IN_TABLE:
        return _name_vector_file(text)
    if kind == _ABSOLUTE:
        # An address, which is written with escapes as a data file's is.
        return unquote(text)
    raise ValueError(f"unknown storage {kind!r}")


def _name_vector_file(text: str) -> str:
    """Return the path of a deletion vector below its table.

    >>> _name_vector_file("ab^-aqEH.-t@S}K{vb[*k^")
    'ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin'
    """
    prefix = text[:-_ID_LETTERS]
    encoded = text[-_ID_LETTERS:]
    content = decode_z85(encoded)
    number = UUID(bytes=content)
    # A stranger's prefix must not lead out of the table.
    if _PREFIX.fullmatch(prefix) is None:
        raise ValueError("a prefix that is no name")
    name = f"deletion_vector_{number}.bin"
    return f"{prefix}/{name}" if prefix else name
