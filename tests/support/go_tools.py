"""Programs that tests need and that `go install` builds, once, into build/go."""

from functools import partial
import os
from pathlib import Path
import shutil
import subprocess

import pytest

from tests.support.built_once import built_once
from tests.support.repository import REPOSITORY

PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"
FAKE_GCS = "github.com/fsouza/fake-gcs-server@v1.56.1"
_FOLDER = REPOSITORY / "build/go"


def go_tool(package: str) -> Path:
    """Return the program of a Go package `path@version`, built when it is not there yet.

    Where there is no Go the test is skipped; with REQUIRE_GO=1, as in continuous integration, it fails.
    """
    program = go_program(package)
    if reason := missing(program):
        message = f"{program.name} is not built: {reason}"
        if os.environ.get("REQUIRE_GO"):
            pytest.fail(message)
        pytest.skip(message)
    return build_go_program(package)


def missing(program: Path) -> str | None:
    """Why a program is not there and cannot be built, or None when it is or can."""
    return None if program.exists() or shutil.which("go") else "go is not on PATH"


def go_program(package: str) -> Path:
    """Where the program of a package is, or will be."""
    path, _, version = package.rpartition("@")
    return _FOLDER / version / path.rpartition("/")[2]


def build_go_program(package: str, target: Path | None = None) -> Path:
    """Return the program of a package, at `target` or where `go_program` says, built when it is not there yet."""
    return built_once(target or go_program(package), partial(_go_install, package))


def _go_install(package: str, target: Path) -> None:
    folder = target.with_name(f"{target.name}.go")
    subprocess.run(["go", "install", package], env={**os.environ, "GOBIN": str(folder)}, check=True)
    (folder / go_program(package).name).rename(target)
    folder.rmdir()
