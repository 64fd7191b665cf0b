"""A server of HTTP on loopback, in the process of the test that asks it: the only one that tests make.

A client that goes away in the middle is what many tests are about, and says nothing: Python's own server writes a traceback to the
error stream then, whose lines other tests count. Any other error of a handler is a mistake in the test, and fails it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer  # noqa: TID251 - this is what others use in its place
import socket
import ssl
import sys
import threading
from typing import Any

# Asked often whether it is to end: the default would cost each test half a second.
_SECONDS_BETWEEN_LOOKS = 0.01
# What a connection that is gone raises; TLS has its own name for it.
_GONE = (ConnectionError, ssl.SSLError)


class LoopbackServer(ThreadingHTTPServer):
    """A server on a free port, with a thread for each connection.

    Args:
        handler: what `http.server` calls with each connection.
    """

    # It waits for its threads at the end, so that none writes, or fails, in a later test.
    daemon_threads = False
    # As a real server has: a client whose connection finds no room waits for a second.
    request_queue_size = 128

    def __init__(self, handler: Callable[..., Any]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self._open: set[Any] = set()
        self._errors: list[Exception] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, _GONE):
            self._errors.append(error)

    def server_close(self) -> None:
        """End all connections, and raise what the handlers raised."""
        for connection in list(self._open):
            # A client may hold one open for long, and its thread would wait for the next request.
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        super().server_close()
        if self._errors:
            raise ExceptionGroup("errors of the test's own server", self._errors)


@contextmanager
def run_server(server: LoopbackServer) -> Iterator[None]:
    """Answer requests until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(_SECONDS_BETWEEN_LOOKS,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
