"""Environments of real model servers, each with a lock of its own: `python -m tests.remote.environments [name ...]`.

Comes in: a lock beside this file, and a package index. Goes out: `build/servers/<name>-<digest of the lock>-<Python>`, made once. A
server wants other versions of libraries than we do, so none is installed beside us. Tests skip a server that is not installed.
"""

from functools import partial
import hashlib
import os
from pathlib import Path
import platform
import shutil
import subprocess
import sys
import sysconfig

import pytest

from tests.support.built_once import built_once
from tests.support.repository import REPOSITORY

MLSERVER = "mlserver"
KSERVE = "kserve"
# Messages of TensorFlow Serving, for which there is a stand-in.
TENSORFLOW = "tensorflow"
TORCHSERVE = "torchserve"
TRITON = "triton"
# Made by `make test`; the others by `make servers`.
EVERY_DAY = (MLSERVER, KSERVE, TENSORFLOW)
ALL = (*EVERY_DAY, TORCHSERVE, TRITON)

_BUILD = REPOSITORY / "build/servers"
# The newest Python that a server's release is for, where that is not our newest.
_NEWEST_PYTHON = {MLSERVER: (3, 12), TRITON: (3, 12)}
# Needs torch, which is ours: another would be 5 GB.
_BESIDE_US = (TORCHSERVE,)


def missing(name: str) -> str | None:
    """Why a server's environment cannot be made here, or None when it can."""
    if name == TORCHSERVE and shutil.which("java") is None:
        return f"java is not on PATH; {name} needs Java 17"
    if name == TRITON and not _has_triton_libraries():
        return (
            f"{name} is for Linux on x86-64 with glibc 2.35, and loads Python as a shared library"
        )
    newest = _NEWEST_PYTHON.get(name)
    if newest is None or sys.version_info[:2] <= newest:
        return None
    return f"{name} is not for Python {sys.version_info.major}.{sys.version_info.minor}"


def _has_triton_libraries() -> bool:
    """Tell whether this machine has what its wheel was built for."""
    _, glibc = platform.libc_ver()
    is_new_enough = [int(part) for part in glibc.split(".") if part] >= [2, 35]
    is_shared = bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))
    return platform.machine() == "x86_64" and is_new_enough and is_shared


def server_python(name: str) -> Path:
    """Return the interpreter of a server's environment; the test is skipped where that is not made.

    With REQUIRE_SERVERS=1, as in continuous integration, it fails for those of every day that could have been made.
    """
    python = _environment(name) / "bin/python"
    if python.exists():
        return python
    if reason := missing(name):
        pytest.skip(reason)
    message = f"{name} is not installed: python -m tests.remote.environments {name}"
    if name in EVERY_DAY and os.environ.get("REQUIRE_SERVERS"):
        pytest.fail(message)
    pytest.skip(message)


def make_environment(name: str) -> Path:
    """Install a server, if that is not done, and return its environment."""
    return built_once(_environment(name), partial(_install, name))


def lock_of(name: str) -> Path:
    """Return the file that names everything that a server's environment holds."""
    return Path(__file__).with_name(f"{name}.lock")


def _environment(name: str) -> Path:
    digest = hashlib.sha256(lock_of(name).read_bytes()).hexdigest()[:12]
    return _BUILD / f"{name}-{digest}-{sys.version_info.major}.{sys.version_info.minor}"


def _install(name: str, target: Path) -> None:
    # Our own pip installs into it, which saves the seconds in which it would get one of its own.
    _run("-m", "venv", "--without-pip", str(target))
    python = str(target / "bin/python")
    pip = ("-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet")
    locked = (
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--requirement",
        str(lock_of(name)),
    )
    # Python compiles what a server imports when it does: a third of all there is.
    _run(*pip, "install", "--no-compile", *locked)
    if name in _BESIDE_US:
        own = next(target.glob("lib/python*/site-packages"))
        (own / "beside.pth").write_text(sysconfig.get_path("purelib"))


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True)


def main(names: list[str]) -> int:
    """Make the named environments, or all; return the exit status."""
    for name in names or ALL:
        if reason := missing(name):
            print(f"{name}: left out, {reason}")
        else:
            print(f"{name}: {make_environment(name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
