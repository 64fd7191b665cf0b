"""A submitted job -> how to cancel it: on a Flink cluster by the cluster's own REST API.

Beam's job server says that it cancelled a job on a cluster, and the job goes on and publishes.
"""

from collections.abc import Callable
from functools import partial
import json
from typing import Any
from urllib.request import Request, urlopen

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions

_ANSWER_SECONDS = 3
_ENDED = ("FINISHED", "CANCELED", "FAILED")


def cancellation(options: PipelineOptions, result: Any) -> Callable[[], object]:
    """What cancels a submitted job, and fails when nobody confirms it."""
    master = options.view_as(FlinkRunnerOptions).flink_master
    if master.startswith("["):  # another runner, or Flink inside the job server, which ends with this process
        return result.cancel
    name = result._job_id.rpartition("_")[0]  # the job server's id is the name on the cluster, and a random part
    return partial(_cancel, (master if "://" in master else f"http://{master}").rstrip("/"), name)


def _cancel(cluster: str, name: str) -> None:
    """Without the job server, which Beam stops first when the user interrupts."""
    with urlopen(f"{cluster}/jobs/overview", timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - the user's own cluster
        jobs = [j["jid"] for j in json.load(answer)["jobs"] if j["name"] == name and j["state"] not in _ENDED]
    for job in jobs:
        cancel = Request(f"{cluster}/jobs/{job}?mode=cancel", method="PATCH")  # noqa: S310 - as above
        urlopen(cancel, timeout=_ANSWER_SECONDS).close()  # noqa: S310 - as above
    if not jobs:
        raise LookupError(f"{cluster}: knows no running job {name}")
