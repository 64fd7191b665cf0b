"""Fork the worker processes of Beam's local runner, as programs are forked: each of them would take seconds to import everything."""

from pathlib import Path
import sys
from typing import Any

from apache_beam.transforms.environments import SubprocessSDKEnvironment
import pytest

from tests.support.forking_python import write_forking_python


def fork_workers(patch: pytest.MonkeyPatch, folder: Path, address: str) -> None:
    """Let runs of this process fork their workers, until `patch` is undone.

    Args:
        patch: undoes it.
        folder: for the program that stands in for the interpreter.
        address: socket of the server that they are forked from.
    """
    python = folder / "forking_python"
    write_forking_python(python, address)
    make = SubprocessSDKEnvironment.from_command_string

    def make_forking(command_string: str) -> Any:
        interpreter, separator, arguments = command_string.partition(" -m ")
        assert interpreter == sys.executable, command_string
        return make(f"{python}{separator}{arguments}")

    patch.setattr(SubprocessSDKEnvironment, "from_command_string", make_forking)
