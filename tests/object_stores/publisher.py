"""A launcher that has written everything and publishes now, as a program of its own that starts at once: it imports no torch."""

from collections.abc import Mapping
from datetime import UTC, datetime
import multiprocessing
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
import os
import signal
from typing import Any

from configs.errors import Refusal
from model_zoo.evaluation.findings import Rules
from storage import files
from storage.run_folder import RunFolder
from transforms.announce import announce
from transforms.publish import publish_run

# Of two launches that were planned at one moment the last one moves CURRENT.
PLANNED_AT = datetime(2100, 1, 1, tzinfo=UTC)
KILLED = -signal.SIGKILL
_FORKING = multiprocessing.get_context("forkserver")
# One that is not installed is left out.
_FORKING.set_forkserver_preload([__name__, "s3fs", "gcsfs", "tests.object_stores.primed_clients"])


def prepare() -> None:
    """Start the process that launchers are forked from, and do not wait for its imports."""
    forkserver.ensure_running()


def head(year: int = 2100, second: int = 0) -> dict[str, Any]:
    """Return what a launcher knows that was planned then."""
    planned_at = PLANNED_AT.replace(year=year, second=second)
    return {"format": 1, "job": {"name": "demo"}, "planned_at": planned_at.isoformat()}


HEAD = head()


def start(
    environment: Mapping[str, str],
    run: RunFolder,
    known: Mapping[str, Any] = HEAD,
    rules: Rules | None = None,
) -> BaseProcess:
    """Publish the run in another process, or hold it back by its rules."""
    process = _FORKING.Process(target=_publish, args=(environment, run, known, rules))
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


def _publish(
    environment: Mapping[str, str],
    run: RunFolder,
    known: Mapping[str, Any],
    rules: Rules | None,
) -> None:
    os.environ.update(environment)
    try:
        publish_run(run, [], known, 1, 0.0, rules=rules)
    except Refusal:
        if not files.exists(
            run.manifest
        ):  # else another was faster and cleaned up, and pipelines.score says so
            raise
        announce(run, datetime.fromisoformat(known["planned_at"]))
