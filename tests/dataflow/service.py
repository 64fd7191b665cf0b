"""A stand-in for the REST API of Dataflow on loopback: it keeps what is submitted, and answers with the states that a test wants.

It stands in for what cannot be had here, the service itself. The client is Beam's own, or gcloud. Several may wait at once, since each
waits for some seconds.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
import json
from typing import Any

from tests.support.loopback import LoopbackServer, run_server

JOB_ID = "2026-01-31_01_02_03-4567"  # and a number
ACCESS_TOKEN = "canary-access-token"  # noqa: S105 - made up


@dataclass(frozen=True)
class Outcome:
    """How a job ends, and the error that the service shows."""

    state: str = "JOB_STATE_DONE"
    error: str = ""


@dataclass
class Service:
    """What was asked of the stand-in, and what a job comes to: `run` is called with every Job that is created."""

    address: str
    run: Callable[[dict[str, Any]], Outcome] = field(default=lambda job: Outcome())
    jobs: list[dict[str, Any]] = field(default_factory=list)
    launches: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    running: dict[str, Future[Outcome]] = field(default_factory=dict)

    def state(self, job_id: str) -> str:
        running = self.running[job_id]
        return running.result().state if running.done() else "JOB_STATE_RUNNING"

    def messages(self, job_id: str) -> list[dict[str, str]]:
        running = self.running[job_id]
        if not running.done() or not running.result().error:
            return []
        stamp = "2026-01-31T01:02:03Z"
        return [
            {
                "id": "1",
                "time": stamp,
                "messageText": running.result().error,
                "messageImportance": "JOB_MESSAGE_ERROR",
            }
        ]


@contextmanager
def dataflow_service() -> Iterator[Service]:
    """The stand-in on a free port of this machine."""
    with ThreadPoolExecutor(1) as pool:
        service = Service("")
        server = LoopbackServer(_requests_to(service, pool))
        service.address = f"http://localhost:{server.server_port}"  # Beam's client speaks REST, and not gRPC, to a localhost only
        with run_server(server):
            yield service


def _requests_to(service: Service, pool: ThreadPoolExecutor) -> type[BaseHTTPRequestHandler]:
    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            path = self.path.partition("?")[0]
            if path == "/token":  # of the service account's key file
                return self._answer(
                    {"access_token": ACCESS_TOKEN, "expires_in": 3600, "token_type": "Bearer"}
                )
            if path.endswith("/flexTemplates:launch"):
                service.launches.append(json.loads(text)["launchParameter"])
                return self._answer({"job": {"id": JOB_ID}})
            job = json.loads(text)
            job_id = f"{JOB_ID}{len(service.running)}"
            service.texts.append(text)
            service.jobs.append(job)
            service.running[job_id] = pool.submit(service.run, job)
            return self._answer({**_shown(job, job_id), "currentState": "JOB_STATE_PENDING"})

        def do_GET(self) -> None:
            job_id, _, asked = self.path.partition("?")[0].rpartition("/jobs/")[2].partition("/")
            if asked == "messages":
                return self._answer({"jobMessages": service.messages(job_id)})
            if asked == "metrics":
                return self._answer({"metrics": []})
            job = service.jobs[list(service.running).index(job_id)]
            return self._answer({**_shown(job, job_id), "currentState": service.state(job_id)})

        def _answer(self, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Requests


def _shown(job: dict[str, Any], job_id: str) -> dict[str, Any]:
    return {
        "id": job_id,
        "name": job["name"],
        "clientRequestId": job["clientRequestId"],
        "projectId": "project",
    }
