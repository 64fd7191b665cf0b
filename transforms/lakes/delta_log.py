"""The log of a Delta table: which files make up a version, read without a row of the table.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md. Read here, by plain JSON and Parquet, and
not by a library: a log that a stranger wrote must end in one line, take no more memory than is
stated, and be read with the credentials that the table's files are read with.

    _delta_log/00000000000000000010.checkpoint.parquet      all that holds at version 10
    _delta_log/00000000000000000011.json                    what version 11 changed, an action a line

The newest commit is read first: what it says of a file or of the columns holds, whatever older ones
say. So the columns are known before a checkpoint is read, of whose statistics few are wanted.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
import re
from typing import TypeAlias

from configs.errors import InputError
from storage.folder_entries import Entry, list_entries
from transforms.lakes.delta_actions import Action, name_file, read_actions
from transforms.lakes.delta_checkpoint import FILES, HEADS, read_checkpoint

LOG = "_delta_log"
_SIDECARS = "_sidecars"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(
    r"(\d{20})\.checkpoint(?:\.(?P<part>\d{10})\.(?P<parts>\d{10})|\.(?P<id>[0-9a-f-]{36}))?"
    r"\.(?P<suffix>parquet|json)"
)
# Tells of the newest metadata which columns' statistics are wanted, as data files call them.
ChooseColumns: TypeAlias = Callable[[Action], Collection[str]]


@dataclass
class State:
    """What holds at a version, as far as newer commits have told it.

    Attributes:
        protocol, metadata: the newest action of that kind.
        added: data files by path and deletion vector.
        gone: those that a newer commit removed.
    """

    protocol: Action | None = None
    metadata: Action | None = None
    added: dict[tuple[str, str], Action] = field(default_factory=dict)
    gone: set[tuple[str, str]] = field(default_factory=set)

    def add_older(self, action: Action) -> None:
        """Take up an action that is older than all that were taken up before."""
        # Newer ones hold.
        if self.protocol is None and action.get("protocol"):
            self.protocol = action["protocol"]
        if self.metadata is None and action.get("metaData"):
            self.metadata = action["metaData"]
        added = action.get("add")
        if added:
            name = name_file(added)
            if name not in self.gone:
                self.added.setdefault(name, added)
        removed = action.get("remove")
        if removed:
            name = name_file(removed)
            if name not in self.added:
                self.gone.add(name)

    def put_in_order(self, newest_first: int) -> None:
        """Put the files in the order in which they were added.

        Args:
            newest_first: how many of them, the first ones, were taken up from the newest one on;
                those behind are a checkpoint's, in its own order.
        """
        found = list(self.added.items())
        of_commits = found[:newest_first]
        of_checkpoint = found[newest_first:]
        of_commits.reverse()
        self.added = dict(of_checkpoint + of_commits)


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
        versions = [*self.commits, *self.checkpoints]
        return max(versions)

    def replay(
        self,
        version: int,
        choose: ChooseColumns | None = None,
    ) -> State:
        """Return what holds at a version.

        Args:
            version: the version.
            choose: which columns' statistics are wanted; None for those of none.

        Raises:
            InputError: the log lacks something, or is not readable.
        """
        earlier = [number for number in self.checkpoints if number <= version]
        # Commits up to a checkpoint may be gone: it says all that they have said.
        checkpoint = max(earlier, default=None)
        first_commit = 0 if checkpoint is None else checkpoint + 1
        numbers = range(first_commit, version + 1)
        self._refuse_gap(numbers, version)
        state = State()
        for number in reversed(numbers):
            self._add_commit(state, number, with_statistics=choose is not None)
        of_commits = len(state.added)
        if checkpoint is not None:
            self._add_checkpoint(state, checkpoint, choose)
        state.put_in_order(of_commits)
        return state

    def _refuse_gap(self, numbers: Iterable[int], version: int) -> None:
        # Of a stranger's numbers there may be very many: the first one that is lacking ends it.
        for number in numbers:
            if number not in self.commits:
                raise InputError(
                    f"{self.url}: its log lacks {number:020}.json, which version {version} rests on; "
                    "restore it, or read a version behind a newer checkpoint"
                )

    def _add_commit(
        self,
        state: State,
        number: int,
        with_statistics: bool,
    ) -> None:
        # All of them first, as they are taken up from the last one on.
        actions = list(self.read_commit(number, with_statistics))
        self._refuse_second_heads(number, actions)
        for action in reversed(actions):
            state.add_older(action)

    def read_commit(
        self,
        number: int,
        with_statistics: bool = False,
    ) -> Iterator[Action]:
        """Yield the actions of a commit.

        Args:
            number: its version.
            with_statistics: whether what is told of data files' values is kept.
        """
        entry = self.commits[number]
        url = self._place(entry.name)
        return read_actions(url, entry.bytes, with_statistics)

    def _refuse_second_heads(
        self,
        number: int,
        actions: Sequence[Action],
    ) -> None:
        """Refuse a commit that says two things of the whole table, of which one must be a mistake."""
        for kind in HEADS:
            saying = [action for action in actions if action.get(kind)]
            # None of them is the last one: actions of a commit are in no order.
            count = len(saying)
            if count > 1:
                raise InputError(
                    f"{self.url}: its commit {number} holds {count} actions {kind}, and a "
                    "commit holds one at most; restore the log"
                )

    def _add_checkpoint(
        self,
        state: State,
        version: int,
        choose: ChooseColumns | None,
    ) -> None:
        entries = self.checkpoints[version]
        told_of: Collection[str] = ()
        if choose is not None:
            # First what tells the columns' names, which is little.
            if state.metadata is None:
                for entry in entries:
                    self._add_entry(state, entry, HEADS)
            if state.metadata is not None:
                told_of = choose(state.metadata)
        both = (*HEADS, *FILES)
        sidecars: list[str] = []
        for entry in entries:
            sidecars += self._add_entry(state, entry, both, told_of)
        for path in sidecars:
            url = self._place_sidecar(version, path)
            for action in read_checkpoint(url, FILES, told_of):
                state.add_older(action)

    def _place_sidecar(self, version: int, path: str) -> str:
        # A name, and not a place that a stranger would choose.
        if "/" in path or not path.endswith(".parquet"):
            raise InputError(
                f"{self.url}: its checkpoint {version} names {path!r}, which is no file of "
                f"{LOG}/{_SIDECARS}; write the checkpoint again"
            )
        return self._place(f"{_SIDECARS}/{path}")

    def _add_entry(
        self,
        state: State,
        entry: Entry,
        kinds: Sequence[str],
        told_of: Collection[str] = (),
    ) -> list[str]:
        """Take up a file of a checkpoint, and return the files that it names."""
        url = self._place(entry.name)
        if entry.name.endswith(".json"):
            with_statistics = bool(told_of)
            actions = read_actions(url, entry.bytes, with_statistics)
        else:
            actions = read_checkpoint(url, kinds, told_of)
        sidecars = []
        for action in actions:
            # Of JSON all kinds come, whichever are asked for.
            asked = {kind: action[kind] for kind in kinds if action.get(kind)}
            state.add_older(asked)
            sidecar = action.get("sidecar")
            if sidecar:
                path = str(sidecar.get("path"))
                sidecars.append(path)
        return sidecars

    def _place(self, name: str) -> str:
        return f"{self.url}/{LOG}/{name}"


def list_log(url: str) -> DeltaLog:
    """Return the files of a table's log.

    Raises:
        InputError: there is none.
        OSError: it cannot be listed.
    """
    entries = list_entries(f"{url}/{LOG}")
    commits = {}
    for entry in entries:
        commit = _COMMIT.fullmatch(entry.name)
        if commit is not None:
            version = int(commit[1])
            commits[version] = entry
    checkpoints = _list_checkpoints(entries)
    if not commits and not checkpoints:
        raise InputError(
            f"{url}: has no {LOG} with a commit, so it is no Delta table; "
            "name the folder that holds _delta_log, or say source.format=parquet"
        )
    return DeltaLog(url, commits, checkpoints)


def _list_checkpoints(entries: Sequence[Entry]) -> dict[int, list[Entry]]:
    """Return the files of each whole checkpoint, by version."""
    # By version and by how it is written: a version may have several checkpoints.
    found: dict[int, dict[str, list[Entry]]] = {}
    for entry in entries:
        checkpoint = _CHECKPOINT.fullmatch(entry.name)
        # A writer that was killed leaves an empty one.
        if checkpoint is None or entry.bytes == 0:
            continue
        version = int(checkpoint[1])
        kind = checkpoint["parts"] or checkpoint["id"] or ""
        kinds = found.setdefault(version, {})
        same_kind = kinds.setdefault(kind, [])
        same_kind.append(entry)
    checkpoints = {}
    for version, kinds in found.items():
        for kind in sorted(kinds):
            of_kind = kinds[kind]
            # One of several parts counts once all of them are there.
            if not kind.isdigit():
                checkpoints[version] = of_kind[:1]
            elif _are_all_parts(of_kind, int(kind)):
                checkpoints[version] = of_kind
    return checkpoints


def _are_all_parts(entries: Sequence[Entry], parts: int) -> bool:
    numbers = set()
    for entry in entries:
        checkpoint = _CHECKPOINT.fullmatch(entry.name)
        if checkpoint is not None:
            number = int(checkpoint["part"])
            numbers.add(number)
    # Not by a set of all of them: how many there are said to be is a stranger's number.
    count = len(numbers)
    return count == parts == max(numbers) and min(numbers) == 1
