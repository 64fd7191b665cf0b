"""A stand-in for the REST API of Dataflow on loopback: it keeps what is submitted, and answers with the states that a test wants.

It stands in for what cannot be had here, the service itself. The client is Beam's own, or gcloud.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
import threading
from typing import Any

JOB_ID = "2026-01-31_01_02_03-4567"
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
    running: Future[Outcome] | None = None

    def state(self) -> str:
        assert self.running is not None
        return self.running.result().state if self.running.done() else "JOB_STATE_RUNNING"

    def messages(self) -> list[dict[str, str]]:
        if self.running is None or not self.running.done() or not self.running.result().error:
            return []
        stamp = "2026-01-31T01:02:03Z"
        text = self.running.result().error
        return [{"id": "1", "time": stamp, "messageText": text, "messageImportance": "JOB_MESSAGE_ERROR"}]


@contextmanager
def dataflow_service() -> Iterator[Service]:
    """The stand-in on a free port of this machine."""
    with ThreadPoolExecutor(1) as pool:
        service = Service("")
        server = ThreadingHTTPServer(("127.0.0.1", 0), _requests_to(service, pool))
        service.address = f"http://localhost:{server.server_port}"  # Beam's client speaks REST, and not gRPC, to a localhost only
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _requests_to(service: Service, pool: ThreadPoolExecutor) -> type[BaseHTTPRequestHandler]:
    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            path = self.path.partition("?")[0]
            if path == "/token":  # of the service account's key file
                return self._answer({"access_token": ACCESS_TOKEN, "expires_in": 3600, "token_type": "Bearer"})
            if path.endswith("/flexTemplates:launch"):
                service.launches.append(json.loads(text)["launchParameter"])
                return self._answer({"job": {"id": JOB_ID}})
            job = json.loads(text)
            service.texts.append(text)
            service.jobs.append(job)
            service.running = pool.submit(service.run, job)
            return self._answer({**_shown(job), "currentState": "JOB_STATE_PENDING"})

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.endswith("/messages"):
                return self._answer({"jobMessages": service.messages()})
            if path.endswith("/metrics"):
                return self._answer({"metrics": []})
            return self._answer({**_shown(service.jobs[-1]), "currentState": service.state()})

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


def _shown(job: dict[str, Any]) -> dict[str, Any]:
    return {"id": JOB_ID, "name": job["name"], "clientRequestId": job["clientRequestId"], "projectId": "project"}
