"""A proxy in front of a store that does what networks and operators do: lose an answer, kill a launcher, show an old listing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
import http.client
from http.server import BaseHTTPRequestHandler
import re
import threading

from tests.support.loopback import LoopbackServer, run_server

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


@dataclass
class Fault:
    """What happens to the `number`-th request whose `METHOD path?query` (Google: and the uploaded object's name) matches.

    Attributes:
        happens: called before the request reaches the store, or `after` the store has answered.
        loses: whether the request, or its answer, is then lost; else all of the client only waited,
            its other requests too: gcsfs asks for an object and for a folder of its name at once.
    """

    pattern: str
    happens: Callable[[], None]
    after: bool
    number: int = 1
    loses: bool = True
    seen: int = 0


@dataclass
class Proxy:
    """Its address, the requests that came through, and what is to go wrong.

    Attributes:
        old: (bucket, other bucket) whose listings are shown in place of the first one's.
        instead: what to answer to a request in the store's place, as status and content, or None to ask the store.
    """

    address: str = ""
    requests: list[str] = field(default_factory=list)
    fault: Fault | None = None
    old: tuple[str, str] | None = None
    instead: Callable[[str], tuple[int, bytes] | None] = lambda request: None
    lock: threading.Lock = field(default_factory=threading.Lock)
    pause: threading.RLock = field(default_factory=threading.RLock)

    def writes(self) -> list[str]:
        """The requests that change something."""
        return [r for r in self.requests if is_write(r)]


def is_write(request: str) -> bool:
    return not request.startswith(("GET ", "HEAD "))


@contextmanager
def proxy_of(store: str) -> Iterator[Proxy]:
    """A proxy of the store at host:port, for the time of the block."""
    proxy = Proxy()
    server = LoopbackServer(_forwarder(proxy, store))
    proxy.address = server.address
    with run_server(server):
        yield proxy


def _forwarder(proxy: Proxy, store: str) -> type[BaseHTTPRequestHandler]:
    class Forwarder(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # What follows the head of an answer would wait for the client to say that it has that: 40 ms.
        disable_nagle_algorithm = True

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = self._fault(body)
            if (canned := proxy.instead(f"{self.command} {self.path}")) is not None:
                self._answer(canned[0], [("Content-Type", "application/xml")], canned[1])
                return
            if fault is not None and not fault.after and self._happened(fault):
                return
            with proxy.pause:
                status, headers, content = self._ask(body)
                if fault is not None and fault.after and self._happened(fault):
                    return
            self._answer(status, headers, content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _forward  # noqa: N815 - names that the server asks for

        def _happened(self, fault: Fault) -> bool:
            """Let it happen, and tell whether the request is lost with it."""
            with nullcontext() if fault.loses else proxy.pause:
                fault.happens()
            self.close_connection = fault.loses
            return fault.loses

        def _fault(self, body: bytes) -> Fault | None:
            uploaded = re.search(rb'"name": "([^"]+)"', body) if "/upload/" in self.path else None
            request = (
                f"{self.command} {self.path} {uploaded[1].decode() if uploaded else ''}".rstrip()
            )
            with proxy.lock:
                proxy.requests.append(request)
                fault = proxy.fault
                if fault is None or not re.search(fault.pattern, request):
                    return None
                fault.seen += 1
                return fault if fault.seen == fault.number else None

        def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(store, timeout=60)
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in ("connection", "expect")
            }
            connection.request(self.command, self._path(), body, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, answer.getheaders(), content

        def _path(self) -> str:
            if proxy.old is None or self.command != "GET":
                return self.path
            bucket, other = proxy.old
            listing = rf"^(/|/storage/v1/b/){re.escape(bucket)}(\?list-type=2|/o/?\?)"
            return re.sub(listing, rf"\g<1>{other}\2", self.path)

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            has_length = False
            for name, value in headers:
                if name.lower() not in _HOP_BY_HOP:
                    has_length = has_length or name.lower() == "content-length"
                    self.send_header(name, value)
            if not has_length:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the requests are kept."""

    return Forwarder
