"""Stripes with lists, decoded in the test's own process: for tests that are not about the process that a worker starts."""

import queue

import pytest

from model_zoo.engines.child.messages import Arrays
from model_zoo.engines.child.process import ChildError
from transforms.formats import orc_lists
from transforms.formats.orc_child import load


class Here:
    """Used like the `ChildProcess` that it stands in for."""

    how_ended: str | None = None

    def __init__(self) -> None:
        make_call = load(b"", {})
        self.decode = make_call()

    def __call__(self, inputs: Arrays, most_bytes: int, most_seconds: float) -> Arrays:
        try:
            return self.decode(inputs)
        except ValueError as error:
            # As it comes from a process.
            raise ChildError(str(error)) from error


def decode_here(patch: pytest.MonkeyPatch) -> None:
    """Let no process be started for stripes with lists, until `patch` is undone."""
    patch.setattr(orc_lists, "_idle", queue.LifoQueue())
    patch.setattr(orc_lists, "start_child", lambda *_, **__: Here())
