"""A power cut may come at any time: what a name stands for is on the disk before the name is, as the system calls of a real run show."""

from collections.abc import Iterator
from dataclasses import dataclass
import json
from pathlib import Path
import re
import shutil
import subprocess

import pytest

from tests.faults.programs import scoring
from tests.support.repository import REPOSITORY

WRITES = (
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "fallocate",
    "sendfile",
)
CALLS = ",".join(
    (
        *WRITES,
        "fsync,fdatasync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat",
    )
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += \d+$")
_BEGUN = re.compile(r"(\d+) +\w+\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)\) += \d+$")


def _can_trace() -> bool:
    return (
        shutil.which("strace") is not None
        and subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode == 0
    )


@dataclass(frozen=True)
class Call:
    """A system call that succeeded, with the paths that it names, in the order in which calls ended."""

    name: str
    paths: tuple[str, ...]


def calls_in(log: str) -> Iterator[Call]:
    """Calls of a log of `strace -f -y`; one may be begun on one line and end on a later one."""
    begun: dict[str, str] = {}
    for line in log.splitlines():
        if match := _BEGUN.match(line):
            begun[match[1]] = match[2]
        elif match := _RESUMED.match(line):
            yield call(match[2], begun.pop(match[1]) + match[3])
        elif match := _LINE.match(line):
            yield call(match[2], match[3])


def call(name: str, arguments: str) -> Call:
    if name in WRITES:
        return Call("write", tuple(re.findall(r"^\d+<([^>]*)>", arguments)))
    return Call(
        name.removesuffix("2").removesuffix("at"),
        tuple(a or b for a, b in re.findall(r'"([^"]*)"|\d+<([^>]*)>', arguments)),
    )


def test_calls_are_read_from_a_trace() -> None:
    log = (
        '7  mkdir("/a/b", 0750) = 0\n8  fsync(5</a/b/x> <unfinished ...>\n7  rename("/a/x", "/a/y") = 0\n'
        '7  mkdir("/a", 0777) = -1 EEXIST (File exists)\n8  <... fsync resumed>) = 0\n'
        '7  write(5</a/x>, "\\"</b>", 5) = 5\n7  write(5</a/x>, "b", 1) = -1 ENOSPC (No space)\n'
    )
    assert list(calls_in(log)) == [
        Call("mkdir", ("/a/b",)),
        Call("rename", ("/a/x", "/a/y")),
        Call("fsync", ("/a/b/x",)),
        Call("write", ("/a/x",)),
    ]


@pytest.fixture(scope="module")
def traced(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Call]]:
    """The output of a real run, into a folder that was not there, and its calls; strace has to start what it follows."""
    if not _can_trace():
        pytest.skip("there is no strace here, or it may not trace")
    folder = tmp_path_factory.mktemp("traced")
    output = folder / "new/scores"
    strace = [
        "strace",
        "-f",
        "-y",
        "--seccomp-bpf",
        "-s",
        "4096",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(folder / "log"),
    ]
    command = [*strace, *scoring(world / "job.yaml", output)]
    run = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    return output, list(calls_in((folder / "log").read_text()))


def at(calls: list[Call], name: str, path: Path | str, before: int | None = None) -> int:
    """Position of the last such call, before a position, whose last path is this one."""
    return max(
        i for i, c in enumerate(calls[:before]) if c.name == name and c.paths[-1:] == (str(path),)
    )


def named(calls: list[Call], path: Path) -> tuple[int, str]:
    """When a file got its name, and what it was called before."""
    i = max(
        i for i, c in enumerate(calls) if c.name in ("rename", "link") and c.paths[-1] == str(path)
    )
    return i, calls[i].paths[-2]


@pytest.mark.program
def test_every_file_is_synced_before_it_is_named_and_its_folder_after(
    traced: tuple[Path, list[Call]],
) -> None:
    output, calls = traced
    run = output / "runs" / (output / "CURRENT").read_text().strip()
    published, _ = named(calls, output / "CURRENT")
    manifest = json.loads((run / "_manifest.json").read_text())
    listed = [run / e["path"] for e in manifest["files"] + manifest["rejected_files"]]
    assert len(listed) > 6
    written, _ = named(calls, run / "_manifest.json")
    for path in listed:
        moved = check_synced_before_it_is_named(calls, path)
        assert moved < at(calls, "fsync", path.parent, written) < written, (
            "the manifest may name only what stands"
        )
    for path, then in ((run / "_manifest.json", published), (output / "CURRENT", len(calls))):
        moved = check_synced_before_it_is_named(calls, path)
        assert moved < at(calls, "fsync", path.parent, then)


def check_synced_before_it_is_named(calls: list[Call], path: Path) -> int:
    """When the file got its name: after it was synced, and that after all was written."""
    moved, before = named(calls, path)
    assert at(calls, "write", before) < at(calls, "fsync", before, moved) < moved
    assert Call("write", (str(path),)) not in calls
    return moved


@pytest.mark.program
def test_new_folders_are_synced_into_those_above_before_anybody_is_told(
    traced: tuple[Path, list[Call]],
) -> None:
    output, calls = traced
    published, _ = named(calls, output / "CURRENT")
    above = [
        f
        for f in (output / "runs" / (output / "CURRENT").read_text().strip()).parents
        if f.is_relative_to(output.parent)
    ]
    assert [f.name for f in above] == ["runs", "scores", "new"]
    for folder in above:
        made = at(calls, "mkdir", folder)
        assert made < at(calls, "fsync", folder.parent, published)


@pytest.mark.program
def test_attempts_are_durable_before_their_unit_is_done(traced: tuple[Path, list[Call]]) -> None:
    """A done-record may be lost in a power cut, but must never name what is."""
    _output, calls = traced
    records = [
        i for i, c in enumerate(calls) if c.name in ("rename", "link") and "/done/" in c.paths[-1]
    ]
    assert len(records) == 6
    for i in records:
        unit = Path(calls[i].paths[-1]).stem
        attempts = {
            c.paths[0]
            for c in calls[:i]
            if c.name == "fsync" and f"/attempts/{unit}-" in c.paths[0]
        }
        assert attempts
        assert all(at(calls, "write", path) < at(calls, "fsync", path, i) for path in attempts)
        last = max(at(calls, "fsync", path, i) for path in attempts)
        assert last < at(calls, "fsync", Path(min(attempts)).parent, i)
