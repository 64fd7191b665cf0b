"""A launcher that has written everything and publishes now, as a program of its own that starts at once: it imports no torch."""

from collections.abc import Mapping
import multiprocessing
from multiprocessing.process import BaseProcess
import os
import signal

from configs.errors import Refusal
from storage import files
from storage.layout import RunFolder
from transforms.publish import announce, publish_run

HEAD = {"format": 1, "job": {"name": "demo"}}
KILLED = -signal.SIGKILL
_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(
    [__name__, "s3fs", "gcsfs"]
)  # one that is not installed is left out


def start(environment: Mapping[str, str], run: RunFolder) -> BaseProcess:
    """Publish the run in another process."""
    process = _FORKING.Process(target=_publish, args=(environment, run))
    process.start()
    return process


def end(process: BaseProcess) -> int | None:
    """Its exit status, or minus the signal that ended it."""
    process.join(120)
    return process.exitcode


def kill(process: BaseProcess) -> None:
    """End it at once; only `end` waits for it, because its exit status can be read once."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)


def _publish(environment: Mapping[str, str], run: RunFolder) -> None:
    os.environ.update(environment)
    try:
        publish_run(run, [], HEAD, 1, 0.0)
    except Refusal:
        if not files.exists(
            run.manifest
        ):  # else another was faster and cleaned up, and pipelines.score says so
            raise
        announce(run)
