"""The tests' own server is silent about a client that is gone, and tells of each mistake in a handler."""

from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
import socket
import struct
import threading

import pytest

from tests.support.loopback import LoopbackServer, run_server

# More than the buffers of a connection hold, so that an answer waits for who reads it.
_LARGE = bytes(2**25)
# Close at once, and throw away what has come.
_NO_LINGER = struct.pack("ii", 1, 0)


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/mistake":
            raise LookupError(self.path)
        content = _LARGE if self.path == "/large" else b"small"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def ask(server: LoopbackServer, path: str) -> socket.socket:
    """Return a connection on which the answer has begun, or has ended without a byte."""
    connection = socket.create_connection(("127.0.0.1", server.server_port))
    connection.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    connection.recv(1)
    return connection


def test_a_client_that_goes_away_is_nobodys_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    server = LoopbackServer(_Answers)
    with run_server(server), ask(server, "/large") as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    assert capsys.readouterr() == ("", "")


def test_a_mistake_in_a_handler_fails_the_test() -> None:
    server = LoopbackServer(_Answers)
    with pytest.raises(ExceptionGroup) as raised, run_server(server):
        ask(server, "/mistake").close()
    (error,) = raised.value.exceptions
    assert isinstance(error, LookupError)


def test_a_connection_that_is_held_open_keeps_no_test_waiting() -> None:
    before = set(threading.enumerate())
    server = LoopbackServer(_Answers)
    client = HTTPConnection(server.address)
    with run_server(server):
        client.request("GET", "/")
        assert client.getresponse().read() == b"small"
    assert set(threading.enumerate()) <= before
    client.close()
