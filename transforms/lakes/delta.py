"""A Delta table at one version: its columns, its data files, and their deleted rows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from transforms.lakes.snapshot import DataFile, Deletions, Snapshot

_IN_COMMIT_TIMESTAMPS = "delta.enableInCommitTimestamps"
# The random part of a name, if any, stands before an id of so many letters.
_ID_LETTERS = 20
_IN_TABLE, _INLINE, _ABSOLUTE = "u", "i", "p"
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
    stored_names = {column.stored_name: column.name for column in columns}
    filtered_by = [column for column in columns if column.name in choice.filtered_by]
    found: dict[str, DataFile] = {}
    for added in state.added.values():
        file = _make_file(url, added, stored_names, choice.outside)
        # Under two spellings, or with two sets of deleted rows: its rows would be scored twice.
        if file.url in found:
            raise InputError(
                f"{url}: its log names {file.url} twice in version {version}; restore the log"
            )
        if filtered_by:
            told = read_statistics(added, file.values, filtered_by)
            file = replace(file, bounds=told.bounds)
        found[file.url] = file
    return Snapshot("delta", url, version, columns, tuple(found.values()))


def _choose_statistics(url: str, choice: Choice) -> ChooseColumns | None:
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
    # Not by a version that the table only had later.
    state = log.replay(newest)
    metadata = _require_metadata(log.url, state)
    configuration = metadata.get("configuration") or {}
    is_in_commits = configuration.get(_IN_COMMIT_TIMESTAMPS) == "true"
    numbers = sorted(log.commits)
    # Such times never go back, and each is read from a file, so the newest come first.
    while is_in_commits and numbers:
        told = _read_commit_time(log, numbers[-1])
        if told is None:
            break
        if told <= choice.moment.timestamp() * 1_000:
            return numbers[-1]
        numbers.pop()
    chosen: int | None = None
    newest_time = 0.0
    for number in numbers:
        # Of a log that was copied, files have times in any order; versions have not.
        newest_time = max(newest_time, log.commits[number].seconds)
        if newest_time > choice.moment.timestamp():
            break
        chosen = number
    if chosen is not None:
        return chosen
    oldest = min(log.commits, default=newest)
    raise JobError(
        f"source.timestamp {choice.moment.isoformat()}: {log.url} has no version of that time; "
        f"the oldest that its log tells the time of is {oldest}"
    )


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
    path = unquote(str(added["path"]))
    place = place_file(url, path, outside)
    values: dict[str, str | None] = {}
    given: Mapping[str, Any] = added.get("partitionValues") or {}
    for name, value in given.items():
        # The log writes null as an empty text, too.
        text = None if value in (None, "") else str(value)
        values[stored_names.get(name, name)] = text
    vector = added.get("deletionVector")
    deletions: tuple[Deletions, ...] = ()
    if vector:
        deletions = (_make_deletions(url, vector, outside),)
    return DataFile(place, values, deletions)


def _make_deletions(url: str, vector: Action, outside: Sequence[str]) -> Deletions:
    kind = vector.get("storageType")
    text = str(vector.get("pathOrInlineDv"))
    try:
        size_bytes = read_count(vector["sizeInBytes"])
        rows = read_count(vector["cardinality"])
        offset = read_count(vector.get("offset") or 0)
        if kind == _INLINE:
            return Deletions(DELTA_VECTOR, bytes=size_bytes, inline=text, rows=rows)
        if kind == _IN_TABLE:
            path = _name_vector_file(text)
            place = place_file(url, path, outside)
        elif kind == _ABSOLUTE:
            place = place_file(url, unquote(text), outside)
        else:
            raise ValueError(f"unknown storage {kind!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{url}: its log names a deletion vector that is not readable; restore the log"
        ) from error
    return Deletions(DELTA_VECTOR, url=place, offset=offset, bytes=size_bytes, rows=rows)


def _name_vector_file(text: str) -> str:
    """Return the path of a deletion vector below its table.

    >>> _name_vector_file("ab^-aqEH.-t@S}K{vb[*k^")
    'ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin'
    """
    prefix, encoded = text[:-_ID_LETTERS], text[-_ID_LETTERS:]
    number = UUID(bytes=decode_z85(encoded))
    if _PREFIX.fullmatch(prefix) is None:
        raise ValueError("a prefix that is no name")
    name = f"deletion_vector_{number}.bin"
    return f"{prefix}/{name}" if prefix else name
