"""Score where something is in short supply: `python -m tests.faults.confined HOW OUTPUT FLAG...`, forked from a server.

HOW is `read_only` (the output is mounted so), `runs_elsewhere` (its folder `runs` is another file system), or a number of file handles.
"""

import ctypes
import os
from pathlib import Path
import resource
import subprocess
import sys

from pipelines import score
from pipelines.cli.command_line import run_program, stop_on_terminate
from pipelines.cli.shutdown import end_process

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000


def enter_own_mounts() -> None:
    """Give this process, which has one thread, mounts of its own, and the right to mount; what `unshare -rm` does."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    mount("--make-rprivate", "/")


def mount(*arguments: str) -> None:
    """Mount something."""
    subprocess.run(["mount", *arguments], check=True)


def main(how: str, output: str, *flags: str) -> None:
    """Score in a process that is confined so."""
    if how == "read_only":
        enter_own_mounts()
        mount("--bind", output, output)
        mount("-o", "remount,ro,bind", output)
    elif how == "runs_elsewhere":
        enter_own_mounts()
        mount("-t", "tmpfs", "tmpfs", f"{output}/runs")
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(how), int(how)))
    stop_on_terminate()
    end_process(run_program(score.main, flags))


if __name__ == "__main__":
    main(*sys.argv[1:])
