"""Names that point to versions of a model, so that a job can say `models/churn@champion`.

models/churn/1, models/churn/2 ...     packages, which never change
models/churn/names/champion.json       where the name points, and every move of it

Pointer and log are one file, so they cannot disagree. It is replaced whole, by compare-and-set: who
decided on the word of what somebody else has changed meanwhile is refused.
"""

from datetime import UTC, datetime
import errno
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs.errors import ModelError, PublishError
from model_zoo.package.card import CARD, Sha256
from pipelines.versions.words import NAME, VERSION, is_name, is_version
from storage import files, stamped
from storage.lock import hold_name

_FOLDER = "names"
# A slash behind the sign is a folder's, or an account's in a URL.
_NAMED = re.compile(rf"(?P<folder>.*[^/@])/?@(?P<name>{NAME})")
_Version = Annotated[str, Field(pattern=rf"^{VERSION}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Move(_Part):
    """One move of a name.

    Attributes:
        kind: whether it was given to a version, or went back to the one before.
        version: folder of the package that it points to since, beside `names`.
        digest: of that package, which is refused if it is another one.
        by, at, why: who moved it, when (UTC, ISO 8601), and for what reason.
        gate: the figures that the move was made to depend on, if it was.
    """

    kind: Literal["promote", "roll_back"]
    version: _Version
    digest: Sha256
    by: str
    at: str
    why: str = ""
    gate: dict[str, Any] | None = None


class _Log(_Part):
    format: Literal[1] = 1
    moves: Annotated[tuple[Move, ...], Field(min_length=1)]


class Pointer(NamedTuple):
    """A name as it was read.

    Attributes:
        folder: URL of the model's versions.
        name: the name.
        moves: of the name, the latest last; none where nobody has given it yet.
        read_as: what a later move is compared with.
    """

    folder: str
    name: str
    moves: tuple[Move, ...]
    read_as: stamped.Stamped | None

    @property
    def standing(self) -> Move | None:
        """Return the move that made it point to what it points to."""
        if not self.moves:
            return None
        return self.moves[-1]

    @property
    def url(self) -> str:
        """Return the file of the name."""
        return _locate(self.folder, self.name)

    def find_before(self) -> Move | None:
        """Return the promotion that the name goes back to, or None where there is none before.

        Going back twice goes back two promotions, and not forth again.
        """
        promotions: list[Move] = []
        for move in self.moves:
            if move.kind == "promote":
                promotions.append(move)
            else:
                promotions.pop()
        # The last one is what the name points to now.
        if len(promotions) < 2:
            return None
        return promotions[-2]


class Resolved(NamedTuple):
    """The package that a job's word for its model leads to.

    Attributes:
        url: folder of the package.
        digest: that it must have; None where the word is the folder itself.
    """

    url: str
    digest: str | None


def split_name(model: str) -> tuple[str, str] | None:
    """Return folder and name of a model that is said by name; None where it is a package's folder.

    >>> split_name("models/churn@champion"), split_name("s3://me@bucket/churn/1")
    (('models/churn', 'champion'), None)
    """
    found = _NAMED.fullmatch(model)
    if found is None:
        return None
    return found["folder"], found["name"]


def resolve(model: str) -> Resolved:
    """Return the package that is meant, by its folder or by a name.

    Raises:
        ModelError: nobody has given that name, or its file is not valid.
    """
    named = split_name(model)
    # A folder may be called so; it is found as it was before there were names.
    if named is None or _is_package(model):
        return Resolved(model, digest=None)
    folder, name = named
    pointer = read_pointer(folder, name)
    standing = pointer.standing
    if standing is None:
        there = _describe_names(folder)
        raise ModelError(
            f"{model}: {folder} has no version of that name; {there}; give it with "
            f"python -m pipelines.promote {folder}/VERSION --as {name}"
        )
    url = files.join(folder, standing.version)
    return Resolved(url, standing.digest)


def list_names(folder: str) -> list[str]:
    """Return the names that point to versions in a folder, sorted."""
    names_folder = files.join(folder, _FOLDER)
    names = []
    for file in files.list_names(names_folder):
        if not file.endswith(".json"):
            continue
        name = file.removesuffix(".json")
        if is_name(name):
            names.append(name)
    return sorted(names)


def list_versions(folder: str) -> list[str]:
    """Return the versions in a folder, sorted, 2 before 10."""
    names = files.list_names(folder)
    found = []
    # The names alone first: a store is asked for each package.
    for name in filter(is_version, names):
        package = files.join(folder, name)
        if _is_package(package):
            found.append(name)
    return sorted(found, key=_rank_version)


def read_pointer(folder: str, name: str) -> Pointer:
    """Read a name.

    Args:
        folder: URL of the model's versions.
        name: the name.

    Raises:
        ModelError: its file is not one of a name.
    """
    url = _locate(folder, name)
    found = stamped.read(url)
    if found is None:
        return Pointer(folder, name, (), None)
    try:
        log = _Log.model_validate_json(found.content)
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"]
        raise ModelError(
            f"{url}: not the file of a name: {reason}; put back the one that was there"
        ) from error
    pointer = Pointer(folder, name, log.moves, found)
    _refuse_impossible(pointer)
    return pointer


def move(pointer: Pointer, to: Move) -> None:
    """Move a name, in one step that everybody sees or nobody.

    Args:
        pointer: the name as it was when the move was decided.
        to: the move.

    Raises:
        PublishError: somebody else has moved it since.
    """
    log = _Log(moves=(*pointer.moves, to))
    text = log.model_dump_json(indent=1, exclude_none=True)
    content = f"{text}\n".encode()
    if not _replace(pointer, content):
        raise PublishError(
            f"{pointer.url}: somebody else has moved {pointer.name} since this was decided, so it "
            "was left as it is; look where it points, and run again"
        )


def _replace(pointer: Pointer, content: bytes) -> bool:
    now = datetime.now(UTC)
    folder = files.join(pointer.folder, _FOLDER)
    if not files.is_local(folder):
        return stamped.replace(pointer.url, content, now, pointer.read_as, scratch="")
    try:
        with hold_name(folder, pointer.name) as scratch:
            # A disk compares nothing by itself.
            standing = stamped.read(pointer.url)
            if _get_content(standing) != _get_content(pointer.read_as):
                return False
            replaced = stamped.replace(pointer.url, content, now, standing, scratch)
    except FileNotFoundError as error:
        # This process was stopped for so long that another one took the lock.
        raise OSError(errno.EBUSY, "another process moves it", pointer.url) from error
    files.sync_folder(folder)
    return replaced


def _get_content(file: stamped.Stamped | None) -> bytes | None:
    if file is None:
        return None
    return file.content


def _is_package(folder: str) -> bool:
    card = files.join(folder, CARD)
    return files.exists(card)


def _describe_names(folder: str) -> str:
    names = list_names(folder)
    if not names:
        return "there are no names yet"
    listed = ", ".join(names)
    return f"there are {listed}"


def _locate(folder: str, name: str) -> str:
    return files.join(folder, f"{_FOLDER}/{name}.json")


def _refuse_impossible(pointer: Pointer) -> None:
    """Refuse a log that goes back further than it went."""
    depth = 0
    for entry in pointer.moves:
        if entry.kind == "promote":
            depth += 1
        else:
            depth -= 1
        # At 0 the name would point to nothing.
        if depth < 1:
            raise ModelError(
                f"{pointer.url}: goes back before its first version; "
                "put back the file that was there"
            )


def _rank_version(version: str) -> tuple[int, str]:
    """Return what sorts numbers by their value, before all else."""
    if version.isdigit():
        return int(version), version
    # Behind all numbers.
    return 1 << 62, version
