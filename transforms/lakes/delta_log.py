"""The log of a Delta table: which files make up a version, read without a row of the table.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md. Read here, by plain JSON and Parquet, and
not by a library: a log that a stranger wrote must end in one line, take no more memory than is
stated, and be read with the credentials that the table's files are read with.

    _delta_log/00000000000000000010.checkpoint.parquet      all that holds at version 10
    _delta_log/00000000000000000011.json                    what version 11 changed, an action a line
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
import json
import re
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import InputError
from storage import files
from storage.folder_entries import Entry, list_entries

LOG = "_delta_log"
Action: TypeAlias = Mapping[str, Any]
# A line of an action with many columns' statistics has some hundred kB.
_MOST_LINE_BYTES = 16 << 20
_MOST_COMMIT_BYTES = 1 << 30
# Of the columns of a checkpoint that are read, decoded: ten million files.
_MOST_CHECKPOINT_BYTES = 4 << 30
_ROWS_AT_ONCE = 4_096
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(
    r"(\d{20})\.checkpoint(?:\.(?P<part>\d{10})\.(?P<parts>\d{10})|\.(?P<id>[0-9a-f-]{36}))?"
    r"\.(?P<suffix>parquet|json)"
)
_READ = ("protocol", "metaData", "add", "sidecar")
# Not read: a checkpoint's statistics are most of it, and footers are believed instead.
_LEFT_OUT = ("stats", "stats_parsed", "tags", "partitionValues_parsed")
# Actions that are read, and what in each is an object, too.
_OBJECTS = {
    "protocol": "",
    "metaData": "configuration",
    "add": "partitionValues",
    "remove": "deletionVector",
    "commitInfo": "",
}


@dataclass
class State:
    """What holds at a version.

    Attributes:
        protocol, metadata: the newest action of that kind.
        added: data files by path and deletion vector.
    """

    protocol: Action | None = None
    metadata: Action | None = None
    added: dict[tuple[str, str], Action] = field(default_factory=dict)


@dataclass(frozen=True)
class DeltaLog:
    """The files of a log.

    Attributes:
        url: the table.
        commits: by version.
        checkpoints: files of each whole checkpoint, by version.
    """

    url: str
    commits: Mapping[int, Entry]
    checkpoints: Mapping[int, Sequence[Entry]]

    @property
    def newest(self) -> int:
        """Return the newest version."""
        return max([*self.commits, *self.checkpoints])

    def replay(self, version: int) -> State:
        """Return what holds at a version.

        Raises:
            InputError: the log lacks something, or is not readable.
        """
        state = State()
        first = 0
        earlier = [number for number in self.checkpoints if number <= version]
        if earlier:
            newest = max(earlier)
            self._apply_checkpoint(state, newest)
            first = newest + 1
        for number in range(first, version + 1):
            if number not in self.commits:
                raise InputError(
                    f"{self.url}: its log lacks {number:020}.json, which version {version} rests on; "
                    "restore it, or read a version behind a newer checkpoint"
                )
            for action in self.read_commit(number):
                _apply(state, action)
        return state

    def read_commit(self, number: int) -> Iterator[Action]:
        """Yield the actions of a commit."""
        entry = self.commits[number]
        return _read_actions(self._place(entry.name), entry.bytes)

    def _apply_checkpoint(self, state: State, version: int) -> None:
        sidecars: list[str] = []
        for entry in self.checkpoints[version]:
            url = self._place(entry.name)
            if entry.name.endswith(".json"):
                actions = _read_actions(url, entry.bytes)
            else:
                actions = _read_checkpoint(url)
            for action in actions:
                _apply(state, action)
                if action.get("sidecar"):
                    sidecars.append(str(action["sidecar"]["path"]))
        for path in sidecars:
            # A name, and not a place that a stranger would choose.
            if "/" in path or not path.endswith(".parquet"):
                raise InputError(
                    f"{self.url}: its checkpoint {version} names {path!r}, which is no file of "
                    f"{LOG}/_sidecars; write the checkpoint again"
                )
            for action in _read_checkpoint(self._place(f"_sidecars/{path}")):
                _apply(state, action)

    def _place(self, name: str) -> str:
        return f"{self.url}/{LOG}/{name}"


def list_log(url: str) -> DeltaLog:
    """Return the files of a table's log.

    Raises:
        InputError: there is none.
        OSError: it cannot be listed.
    """
    commits: dict[int, Entry] = {}
    found: dict[int, dict[str, list[Entry]]] = {}
    for entry in list_entries(f"{url}/{LOG}"):
        commit = _COMMIT.fullmatch(entry.name)
        if commit is not None:
            commits[int(commit[1])] = entry
        checkpoint = _CHECKPOINT.fullmatch(entry.name)
        if checkpoint is None or entry.bytes == 0:
            continue
        # One of several parts counts once all of them are there.
        kind = checkpoint["parts"] or checkpoint["id"] or ""
        of_version = found.setdefault(int(checkpoint[1]), {})
        of_version.setdefault(kind, []).append(entry)
    checkpoints = {}
    for version, kinds in found.items():
        for kind, entries in sorted(kinds.items()):
            if not kind.isdigit() or len(entries) == int(kind):
                checkpoints[version] = entries[: len(entries) if kind.isdigit() else 1]
    if not commits and not checkpoints:
        raise InputError(
            f"{url}: has no {LOG} with a commit, so it is no Delta table; "
            "name the folder that holds _delta_log, or say source.format=parquet"
        )
    return DeltaLog(url, commits, checkpoints)


def _apply(state: State, action: Action) -> None:
    if action.get("protocol"):
        state.protocol = action["protocol"]
    if action.get("metaData"):
        state.metadata = action["metaData"]
    if action.get("add"):
        state.added[_name_file(action["add"])] = action["add"]
    if action.get("remove"):
        state.added.pop(_name_file(action["remove"]), None)


def _name_file(action: Action) -> tuple[str, str]:
    """Return what an action is about: a file with the very rows that it says are deleted."""
    vector = action.get("deletionVector")
    if not vector:
        return str(action["path"]), ""
    parts = (vector["storageType"], vector["pathOrInlineDv"], vector.get("offset") or 0)
    return str(action["path"]), "{}{}@{}".format(*parts)


def _read_actions(url: str, size_bytes: int) -> Iterator[Action]:
    """Yield the actions of a file of JSON lines."""
    if size_bytes > _MOST_COMMIT_BYTES:
        raise InputError(
            f"{url}: has {size_bytes:,} bytes, more than a commit of {_MOST_COMMIT_BYTES:,}; "
            "write a checkpoint, and read the version of that"
        )
    number = 0
    try:
        with files.open_read(url) as source:
            while line := source.readline(_MOST_LINE_BYTES + 1):
                number += 1
                if len(line) > _MOST_LINE_BYTES:
                    raise ValueError(f"it has more than {_MOST_LINE_BYTES:,} bytes")
                if line.strip():
                    yield _parse_action(line)
    except OSError as error:
        raise InputError(
            f"{url}: cannot be read: {error.strerror or error}; "
            "read a version that the log still has, or look at the permissions"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        if not isinstance(error, ValueError | RecursionError):
            reason = "it is not built as the protocol says"
        raise InputError(
            f"{url}: line {number} is no action of a Delta log: {reason}; restore the log"
        ) from error


def _parse_action(line: bytes) -> Action:
    action = json.loads(line)
    if not isinstance(action, dict):
        raise ValueError("it is no object")
    # Here, so that what is not built as it must be is told with its line.
    for name, inner in _OBJECTS.items():
        given = action.get(name)
        if given is None:
            continue
        if not isinstance(given.get(inner) or {}, dict):
            raise TypeError(inner)
        for left_out in _LEFT_OUT:
            given.pop(left_out, None)
        if name in ("add", "remove"):
            _name_file(given)
    return action


def _read_checkpoint(url: str) -> Iterator[Action]:
    """Yield the actions of a checkpoint in Parquet, or of a part of one."""
    try:
        with files.open_read(url) as source, pq.ParquetFile(source) as checkpoint:
            leaves = _choose_leaves(checkpoint)
            if _count_decoded_bytes(checkpoint, leaves) > _MOST_CHECKPOINT_BYTES:
                raise InputError(
                    f"{url}: comes to more than {_MOST_CHECKPOINT_BYTES:,} bytes, decoded, so it may "
                    "be a bomb; write the checkpoint again, in parts"
                )
            for batch in checkpoint.iter_batches(_ROWS_AT_ONCE, columns=leaves, use_threads=False):
                for row in batch.to_pylist():
                    yield _mend_maps(row)
    except OSError as error:
        raise InputError(
            f"{url}: cannot be read: {error.strerror or error}; write the checkpoint again"
        ) from error
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{url}: is no checkpoint of a Delta log; write the checkpoint again"
        ) from error


def _choose_leaves(checkpoint: pq.ParquetFile) -> list[str]:
    """Return the columns of a checkpoint that tell which files there are."""
    leaves = []
    for number in range(len(checkpoint.schema)):
        path = checkpoint.schema.column(number).path
        kind, _, rest = path.partition(".")
        name, _, _ = rest.partition(".")
        if kind in _READ and name not in _LEFT_OUT:
            leaves.append(path)
    return leaves


def _count_decoded_bytes(checkpoint: pq.ParquetFile, leaves: Sequence[str]) -> int:
    wanted = set(leaves)
    metadata = checkpoint.metadata
    decoded_bytes = 0
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for column in range(row_group.num_columns):
            chunk = row_group.column(column)
            if chunk.path_in_schema in wanted:
                decoded_bytes += chunk.total_uncompressed_size
    return decoded_bytes


def _mend_maps(row: dict[str, Any]) -> Action:
    """Return a row of a checkpoint as JSON has it, where maps are objects."""
    added = row.get("add")
    if added:
        added["partitionValues"] = dict(added.get("partitionValues") or ())
    metadata = row.get("metaData")
    if metadata:
        metadata["configuration"] = dict(metadata.get("configuration") or ())
    return row
