"""Runs on a disk that is too small: `unshare -rm python -m tests.faults.small_disk JOB EARLIER_OUTPUT NEED_BYTES LEVEL...`.

For each level a tmpfs is mounted that has room for so many percent of what the run needs, beside an earlier run's output, or that is full
from the moment on when the run is being published (`publishing`). The job is scored there, the disk grows, and the job is scored
again. One JSON line per level tells what was seen.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import hashlib
import json
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
from typing import Any

from pipelines import score
from pipelines.command_line import run_program
from tests.faults.world import Seen, read_output
from transforms import publish

_LARGE_BYTES = 256 << 20


def main(job: str, earlier: str, need_bytes: str, *levels: str) -> None:
    for level in levels:
        with tempfile.TemporaryDirectory() as name:
            mount = Path(name)
            _mount(mount, _LARGE_BYTES)
            output = shutil.copytree(earlier, mount / "scores", symlinks=True)
            if level == "publishing":
                with _full_when_published(mount):
                    seen = _scored_twice(mount, output, job)
            else:
                _mount(mount, _taken(mount) + int(need_bytes) * int(level) // 100, "remount,")
                seen = _scored_twice(mount, output, job)
            print(json.dumps(seen), flush=True)
            subprocess.run(["umount", "-l", name], check=True)


def _scored_twice(mount: Path, output: Path, job: str) -> dict[str, object]:
    flags = ["--quiet", "--config", job, "--output", str(output)]
    status = run_program(score.main, flags)
    then = _digests(read_output(output))
    _mount(mount, _LARGE_BYTES, "remount,")
    again = run_program(score.main, flags)
    left = len(list((output / "_tmp").iterdir()))
    return {"status": status, "then": then, "again": again, "end": _digests(read_output(output)), "left": left}


@contextmanager
def _full_when_published(mount: Path) -> Iterator[None]:
    """The disk is as large as what stands on it, from the first time on that a run is about to be published."""
    move_files = publish._move_files
    shrunk: list[int] = []

    def shrink_and_move(*arguments: Any) -> Any:
        if not shrunk:
            shrunk.append(_taken(mount))
            _mount(mount, shrunk[0], "remount,")
        return move_files(*arguments)

    publish._move_files = shrink_and_move
    yield
    publish._move_files = move_files
    assert shrunk


def _taken(mount: Path) -> int:
    usage = shutil.disk_usage(mount)
    return usage.total - usage.free


def _mount(mount: Path, size_bytes: int, how: str = "") -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{how}size={size_bytes}", "tmpfs", str(mount)], check=True)


def _digests(seen: Seen | None) -> dict[str, str] | None:
    return seen and {name: hashlib.sha256(content).hexdigest() for name, content in seen.files.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
