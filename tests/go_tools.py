"""Programs that tests need and that `go install` builds, once, into build/go."""

import os
from pathlib import Path
import shutil
import subprocess

import pytest

from tests.conftest import REPOSITORY

PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"
_FOLDER = REPOSITORY / "build/go"


def go_tool(package: str) -> Path:
    """The program of a Go package `path@version`, built when it is not there yet.

    Where there is no Go the test is skipped; with REQUIRE_GO=1, as in continuous integration, it fails.
    """
    name = package.rpartition("@")[0].rpartition("/")[2]
    program = _FOLDER / package.rpartition("@")[2] / name
    if program.exists():
        return program
    if shutil.which("go") is None:
        message = f"{name} is built with Go, and there is no go on PATH"
        if os.environ.get("REQUIRE_GO"):
            pytest.fail(message)
        pytest.skip(message)
    subprocess.run(["go", "install", package], env={**os.environ, "GOBIN": str(program.parent)}, check=True)
    return program
