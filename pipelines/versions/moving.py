"""Move a name to a version, or back to the one before, and tell where names point."""

import argparse
from datetime import UTC, datetime
import posixpath
from typing import Any, Literal

from configs.errors import JobError, ModelError
from model_zoo.package.package import Package, read_package
from pipelines.cli.account import find_user
from pipelines.cli.command_line import say
from pipelines.cli.terminal import make_harmless, write_result
from pipelines.versions.gate import Gate, pass_gate
from pipelines.versions.names import (
    Move,
    Pointer,
    list_names,
    list_versions,
    move,
    read_pointer,
    resolve,
)
from pipelines.versions.words import is_version
from storage import files

_NOBODY_STANDS = "no version"


def move_name(arguments: argparse.Namespace) -> None:
    """Move a name, or tell of all.

    Args:
        arguments: folder and name, where it goes, and what that depends on.
    """
    if arguments.name is None:
        folder = files.to_absolute(arguments.model)
        text = make_harmless(describe(folder))
        write_result(text, "the versions")
        return
    decide = _go_back if arguments.roll_back else _promote
    pointer, to = decide(arguments)
    if to is None:
        say(f"{arguments.name} points to {_describe_standing(pointer)} already: nothing to do")
        return
    move(pointer, to)
    before = _describe_standing(pointer)
    say(f"{pointer.name}: {before} -> {to.version}, in {pointer.url}")


def describe(folder: str) -> str:
    """Return the versions in a folder, and each name with its moves, the latest first.

    Args:
        folder: URL of the model's versions.

    Raises:
        ModelError: there are none.
    """
    versions = list_versions(folder)
    names = list_names(folder)
    if not versions and not names:
        raise ModelError(
            f"{folder}: holds no versions of a model; pack one with "
            f"python -m pipelines.package ... --output {folder}/1"
        )
    listed = ", ".join(versions) or "none"
    lines = [f"{folder}: versions {listed}"]
    for name in names:
        pointer = read_pointer(folder, name)
        standing = _describe_standing(pointer)
        lines.append(f"{name}: {standing}")
        moves = [_describe_move(entry) for entry in reversed(pointer.moves)]
        lines += [f"  {told}" for told in moves]
    return "\n".join(lines)


def _describe_standing(pointer: Pointer) -> str:
    standing = pointer.standing
    return _NOBODY_STANDS if standing is None else standing.version


def _describe_move(entry: Move) -> str:
    verb = "promoted" if entry.kind == "promote" else "rolled back to"
    why = f": {entry.why}" if entry.why else ""
    return f"{entry.at}  {verb} {entry.version} by {entry.by}{why}"


def _promote(arguments: argparse.Namespace) -> tuple[Pointer, Move | None]:
    """Return the name, and what moves it to the version; None where it stands there."""
    url = files.to_absolute(resolve(arguments.model).url)
    folder, version = posixpath.split(url.rstrip("/"))
    if not is_version(version):
        raise JobError(
            f"{arguments.model}: a folder called {version!r} cannot be a version; "
            "letters, digits, '.', '_' and '-' are its name"
        )
    # Every file of it: whatever is promoted can be scored with tonight.
    package = read_package(url)
    pointer = read_pointer(folder, arguments.name)
    standing = pointer.standing
    if standing is not None and standing.version == version:
        _refuse_changed(standing, package)
        return pointer, None
    gate = _read_gate(arguments)
    figures = None if gate is None else pass_gate(gate, package.digest, standing)
    return pointer, _make_move(arguments, "promote", version, package.digest, figures)


def _go_back(arguments: argparse.Namespace) -> tuple[Pointer, Move | None]:
    """Return the name, and what moves it to the version before.

    Raises:
        ModelError: there is none, or it is not what it was.
    """
    folder = files.to_absolute(arguments.model)
    pointer = read_pointer(folder, arguments.name)
    before = pointer.find_before()
    if before is None:
        raise ModelError(
            f"{pointer.url}: {arguments.name} points to {_describe_standing(pointer)}, and nothing "
            f"was promoted before; promote a version with "
            f"python -m pipelines.promote {arguments.model}/VERSION --as {arguments.name}"
        )
    package = read_package(files.join(folder, before.version))
    _refuse_changed(before, package)
    return pointer, _make_move(arguments, "roll_back", before.version, before.digest)


def _read_gate(arguments: argparse.Namespace) -> Gate | None:
    if arguments.metric is None:
        return None
    if arguments.evaluation is None:
        raise JobError("--metric and --evaluation: a promotion that depends on figures needs both")
    margin = arguments.margin or 0.0
    return Gate(arguments.metric, margin, arguments.evaluation, arguments.standing_evaluation)


def _make_move(
    arguments: argparse.Namespace,
    kind: Literal["promote", "roll_back"],
    version: str,
    digest: str,
    gate: dict[str, Any] | None = None,
) -> Move:
    now = datetime.now(UTC)
    return Move(
        kind=kind,
        version=version,
        digest=digest,
        by=arguments.by or find_user(),
        at=now.isoformat(timespec="seconds"),
        why=arguments.why,
        gate=gate,
    )


def _refuse_changed(promoted: Move, package: Package) -> None:
    if promoted.digest != package.digest:
        raise ModelError(
            f"{package.url}: is not the package any more that was promoted on {promoted.at}; "
            "packages never change: pack it as another version, and promote that"
        )
