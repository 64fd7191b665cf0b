"""A server of HTTP on loopback that answers as it is told, byte by byte where that is wanted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
import json
import ssl
from typing import Any

from tests.support.loopback import LoopbackServer, run_server


@dataclass(frozen=True)
class Request:
    """What the server has read."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Response:
    """What the server writes; its length is told unless the headers tell another."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


# Bytes are written as they are, in place of a whole answer, and end the connection.
Answer = Callable[[Request], "Response | bytes | Iterator[bytes]"]


@dataclass
class HttpServer:
    """What the server is told, and what it was asked.

    Attributes:
        answers: by the path.
        port: where it listens on loopback.
        requests: that it has read.
        connections: that were made to it.
    """

    answers: dict[str, Answer]
    port: int = 0
    scheme: str = "http"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


def answer_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """Return an answer that is JSON."""
    told = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda request: Response(json.dumps(value).encode(), status, told)


@contextmanager
def serve(server: HttpServer, context: ssl.SSLContext | None = None) -> Iterator[HttpServer]:
    """Serve on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one piece: else the second waits for the first's acknowledgement.
        wbufsize = 2**16

        def setup(self) -> None:
            server.connections += 1
            super().setup()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            server.requests.append(request)
            answer = server.answers.get(self.path, answer_json({"error": "no such path"}, 404))
            self._write(answer(request))

        def _write(self, response: Any) -> None:
            if isinstance(response, bytes):
                response = iter([response])
            if not isinstance(response, Response):
                self.close_connection = True
                for piece in response:
                    self.wfile.write(piece)
                    self.wfile.flush()
                return
            self.send_response(response.status)
            headers = {"Content-Length": str(len(response.content)), **response.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.content)

    served = LoopbackServer(Handler)
    if context is not None:
        served.socket = context.wrap_socket(served.socket, server_side=True)
        server.scheme = "https"
    server.port = served.server_port
    with run_server(served):
        yield server
