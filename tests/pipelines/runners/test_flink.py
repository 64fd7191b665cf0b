"""A Flink cluster is asked for its slots, and told to cancel a job, by its own REST API."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
import json
from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import JobError
from pipelines.runners.flink import make_cancellation
from pipelines.runners.flink_slots import count_slots
from pipelines.runners.options import runner_options
from tests.support.loopback import LoopbackServer, run_server


class Cluster(LoopbackServer):
    """Answers as a cluster's job manager does.

    Attributes:
        answers: by path.
        patched: the paths that were patched, in order.
    """

    def __init__(self) -> None:
        super().__init__(_Answer)
        self.answers: dict[str, Any] = {}
        self.patched: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        self._answer(json.dumps(self.server.answers[self.path]).encode())

    def do_PATCH(self) -> None:
        self.server.patched.append(self.path)
        self._answer(b"{}")

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


# Not called `cluster`, as a real one is, whose tests start programs.
@pytest.fixture
def rest_api() -> Iterator[Cluster]:
    server = Cluster()
    with run_server(server):
        yield server


@pytest.mark.parametrize(("told", "slots"), [(6, 6), (1, 1), (0, 1)])
def test_a_cluster_has_the_slots_that_it_tells_and_one_at_least(
    told: int, slots: int, rest_api: Cluster
) -> None:
    """One that is starting has none yet."""
    rest_api.answers["/overview"] = {"slots-total": told}
    assert count_slots(rest_api.address) == slots
    assert count_slots(f"http://{rest_api.address}/") == slots


@pytest.mark.parametrize(
    "answer", [{}, {"slots": 1}, {"slots-total": "many"}, {"slots-total": None}, [], None]
)
def test_an_address_that_tells_no_slots_is_refused(answer: Any, rest_api: Cluster) -> None:
    """It may be that of another service, which answers in another form."""
    rest_api.answers["/overview"] = answer
    with pytest.raises(JobError, match="does not tell its number of task slots"):
        count_slots(rest_api.address)


def jobs(*states: tuple[str, str]) -> dict[str, Any]:
    """The overview of jobs with these names and states, whose ids are their numbers."""
    listed = [{"jid": str(n), "name": name, "state": s} for n, (name, s) in enumerate(states)]
    return {"jobs": listed}


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_every_running_job_of_the_name_is_cancelled_and_no_other(
    scheme: str, rest_api: Cluster
) -> None:
    rest_api.answers["/jobs/overview"] = jobs(
        ("night_1", "FAILED"),
        ("night_1", "RUNNING"),
        ("night_2", "RUNNING"),
        ("night_1", "CREATED"),
        ("night_1", "FINISHED"),
        ("night_1", "CANCELED"),
    )
    flags = [f"--flink_master={scheme}{rest_api.address}", "--parallelism=1"]
    result = SimpleNamespace(_job_id="night_1_0f3e", cancel=lambda: 1 / 0)
    make_cancellation(runner_options("FlinkRunner", flags), result)()
    assert rest_api.patched == ["/jobs/1?mode=cancel", "/jobs/3?mode=cancel"]


def test_a_job_that_the_cluster_does_not_run_is_no_confirmation(rest_api: Cluster) -> None:
    rest_api.answers["/jobs/overview"] = jobs(("night_1", "FINISHED"), ("night_2", "RUNNING"))
    flags = [f"--flink_master={rest_api.address}", "--parallelism=1"]
    result = SimpleNamespace(_job_id="night_1_0f3e")
    cancel = make_cancellation(runner_options("FlinkRunner", flags), result)
    with pytest.raises(LookupError, match=r"knows no running job night_1$"):
        cancel()
    assert rest_api.patched == []


def test_a_job_of_another_runner_is_cancelled_by_the_runner() -> None:
    result = SimpleNamespace(cancel=lambda: "cancelled")
    for runner in ("DirectRunner", "FlinkRunner"):
        assert make_cancellation(runner_options(runner, []), result)() == "cancelled"
