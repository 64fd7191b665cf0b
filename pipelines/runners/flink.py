"""A submitted job -> how to cancel it: on a Flink cluster by the cluster's own REST API.

Beam's job server says that it cancelled a job on a cluster, and the job goes on and publishes.
"""

from collections.abc import Callable
from functools import partial
import json
from typing import Any
from urllib.request import Request, urlopen

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions

from pipelines.runners.beam_private import find_flink_name
from pipelines.runners.flink_slots import make_url

# Whoever presses Ctrl-C waits for it.
_CANCEL_SECONDS = 3
_ENDED = ("FINISHED", "CANCELED", "FAILED")


def make_cancellation(options: PipelineOptions, result: Any) -> Callable[[], object]:
    """Return what cancels a submitted job, and fails when nobody confirms it.

    Args:
        options: the runner's.
        result: what the runner gave for the job.
    """
    master = options.view_as(FlinkRunnerOptions).flink_master
    # `[auto]`: another runner, or Flink inside the job server, which ends with this process.
    if master.startswith("["):
        return result.cancel
    cluster = make_url(master)
    name = find_flink_name(result)
    return partial(_cancel, cluster, name)


def _cancel(cluster: str, name: str) -> None:
    """Cancel without the job server, which Beam stops first when the user interrupts."""
    url = f"{cluster}/jobs/overview"
    with urlopen(url, timeout=_CANCEL_SECONDS) as answer:  # noqa: S310 - the user's own cluster
        jobs = json.load(answer)["jobs"]
    same_name = [job for job in jobs if job["name"] == name]
    # Several: an earlier run of the name may still be there.
    running = [job for job in same_name if job["state"] not in _ENDED]
    for job in running:
        number = job["jid"]
        url = f"{cluster}/jobs/{number}?mode=cancel"
        cancel = Request(url, method="PATCH")  # noqa: S310 - as above
        urlopen(cancel, timeout=_CANCEL_SECONDS).close()  # noqa: S310 - as above
    if not running:
        raise LookupError(f"{cluster}: knows no running job {name}")
