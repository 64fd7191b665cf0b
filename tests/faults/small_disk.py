"""Score on a disk that is too small: `python -m tests.faults.small_disk JOB EARLIER_OUTPUT NEED_BYTES LEVEL...`, forked from a server.

For each level a tmpfs is mounted that has room for so many percent of what the run needs, beside an earlier run's output, or that is full
from the moment on when the run is being published (`publishing`). The job is scored there, the disk grows, and the job is scored
again. One JSON line per level tells what was seen.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
import hashlib
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from pipelines.cli.shutdown import end_process
from tests.faults.confined import enter_own_mounts
from tests.faults.counts import full_or
from tests.faults.world import Seen, read_output
from tests.support.without_beam import run_without_beam
from transforms import publish

_LARGE_BYTES = 256 << 20


def main(job: str, earlier: str, need_bytes: str, *levels: str) -> None:
    enter_own_mounts()
    mount = Path(
        tempfile.mkdtemp()
    )  # no TemporaryDirectory: each child would clean it up as it ends
    for level in levels:
        _mount(mount, _LARGE_BYTES)
        output = shutil.copytree(earlier, mount / "scores", symlinks=True)
        if level != "publishing":
            _mount(mount, _taken(mount) + int(need_bytes) * int(level) // 100, "remount,")
        with _full_when_published(mount) if level == "publishing" else nullcontext():
            status = _scored(job, output, through_beam=level in (levels[0], "publishing"))
        then = _digests(read_output(output))
        _mount(mount, _LARGE_BYTES, "remount,")
        again = _scored(job, output, through_beam=False)
        left = len(list((output / "_tmp").iterdir()))
        seen = {
            "status": status,
            "then": then,
            "again": again,
            "end": _digests(read_output(output)),
            "left": left,
        }
        print(json.dumps(seen), flush=True)
        subprocess.run(["umount", "-l", str(mount)], check=True)
    mount.rmdir()


def _scored(job: str, output: Path, through_beam: bool) -> int:
    """Exit status of the program, in a process of its own; what fails there ends with it, threads and all. FULL_COUNTS is through Beam."""
    pid = os.fork()
    if pid == 0:
        if not full_or(through_beam, True):
            run_without_beam(pytest.MonkeyPatch())
        end_process(run_program(score.main, ["--quiet", "--config", job, "--output", str(output)]))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextmanager
def _full_when_published(mount: Path) -> Iterator[None]:
    """While the block runs, the disk becomes as large as what stands on it when a run is about to be published."""
    move_files = publish.move_files

    def shrink_and_move(*arguments: Any) -> Any:
        _mount(mount, _taken(mount), "remount,")
        return move_files(*arguments)

    publish.move_files = shrink_and_move
    yield
    publish.move_files = move_files


def _taken(mount: Path) -> int:
    usage = shutil.disk_usage(mount)
    return usage.total - usage.free


def _mount(mount: Path, size_bytes: int, how: str = "") -> None:
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"{how}size={size_bytes}", "tmpfs", str(mount)], check=True
    )


def _digests(seen: Seen | None) -> dict[str, str] | None:
    return seen and {
        name: hashlib.sha256(content).hexdigest() for name, content in seen.files.items()
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
