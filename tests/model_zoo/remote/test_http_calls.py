"""What may go wrong on the way to an HTTP server and back: statuses, bytes, deadlines."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
import gzip
import socket
import threading
from typing import Any

import pytest

from model_zoo.remote import http_calls
from model_zoo.remote.failures import (
    BusyError,
    DeniedError,
    GoneError,
    MissingError,
    RefusedError,
    RemoteError,
    TooLargeError,
    WrongError,
)
from model_zoo.remote.http_calls import HttpCalls
from model_zoo.remote.http_statuses import read_retry_after
from model_zoo.remote.target import Target
from tests.remote.http_server import HttpServer, Response, answer_json, serve

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def told() -> Iterator[HttpServer]:
    with serve(HttpServer({"/": answer_json({})})) as told:
        yield told


@pytest.fixture
def calls(told: HttpServer) -> Iterator[HttpCalls]:
    calls = HttpCalls(Target("oip-http", told.url, "sums", deadline_seconds=60))
    yield calls
    calls.close()


STATUSES: list[tuple[int, type[RemoteError]]] = [
    (400, RefusedError),
    (422, RefusedError),
    (500, RefusedError),
    (507, RefusedError),
    (413, TooLargeError),
    (429, BusyError),
    (503, BusyError),
    (401, DeniedError),
    (403, DeniedError),
    (407, DeniedError),
    (408, GoneError),
    (502, GoneError),
    (504, GoneError),
    (404, MissingError),
    (405, WrongError),
    (204, WrongError),
    (301, WrongError),
    (307, WrongError),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_each_status_has_its_class(
    told: HttpServer, calls: HttpCalls, status: int, kind: type[RemoteError]
) -> None:
    elsewhere = {"Location": "/elsewhere"} if 300 <= status < 400 else {}
    told.answers["/"] = lambda request: Response(b"", status, elsewhere)
    with pytest.raises(RemoteError, match=f"status {status}") as failure:
        calls.send("/", b"rows", {})
    assert type(failure.value) is kind
    assert told.paths() == ["/"]


@pytest.mark.parametrize(("status", "is_certain"), [(400, True), (500, False)])
def test_a_server_that_may_have_failed_by_itself_is_told_apart(
    told: HttpServer, calls: HttpCalls, status: int, is_certain: bool
) -> None:
    told.answers["/"] = lambda request: Response(b"", status)
    with pytest.raises(RefusedError) as failure:
        calls.ask("/")
    assert failure.value.is_certain is is_certain


def test_a_servers_words_hold_no_value_of_a_row(told: HttpServer, calls: HttpCalls) -> None:
    told.answers["/"] = answer_json({"error": "cannot parse 'Ann' of 4711"}, 400)
    with pytest.raises(RefusedError) as failure:
        calls.ask("/")
    assert str(failure.value) == "status 400: cannot parse *** of ***"


def test_a_busy_server_says_when_to_come_back(told: HttpServer, calls: HttpCalls) -> None:
    told.answers["/"] = answer_json({}, 503, Retry_After="7")
    with pytest.raises(BusyError) as failure:
        calls.ask("/")
    assert failure.value.retry_after_seconds == 7


def test_a_date_to_come_back_at_is_read() -> None:
    later = datetime.now(UTC) + timedelta(seconds=60)
    seconds = read_retry_after(format_datetime(later, usegmt=True))
    assert seconds is not None
    assert 50 < seconds <= 60
    assert read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert read_retry_after("") is None


def test_a_packed_answer_is_refused_unread(told: HttpServer, calls: HttpCalls) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    packed = {"Content-Encoding": "gzip"}
    told.answers["/"] = lambda request: Response(bomb, headers=packed)
    with pytest.raises(WrongError, match="packed by 'gzip'"):
        calls.ask("/")


def endless(head: bytes, piece: bytes) -> Iterator[bytes]:
    yield head
    while True:
        yield piece


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (OK + b"Content-Length: 999999\r\n\r\n", b"x" * 100_000),
        (CHUNKED, b"186a0\r\n" + b"x" * 100_000 + b"\r\n"),
    ],
    ids=["of a length that is told", "in chunks"],
)
def test_an_answer_without_an_end_is_cut(
    told: HttpServer,
    calls: HttpCalls,
    monkeypatch: pytest.MonkeyPatch,
    head: bytes,
    piece: bytes,
) -> None:
    monkeypatch.setattr(http_calls, "MOST_ANSWER_BYTES", 500_000)
    told.answers["/"] = lambda request: endless(head, piece)
    with pytest.raises(TooLargeError, match="more than 500,000"):
        calls.ask("/")


def test_a_length_that_is_too_large_is_refused_unread(told: HttpServer, calls: HttpCalls) -> None:
    told.answers["/"] = lambda request: OK + b"Content-Length: 99999999999\r\n\r\n"
    with pytest.raises(TooLargeError, match="the answer has 99999999999 bytes"):
        calls.ask("/")


def test_an_answer_in_chunks_is_whole(told: HttpServer, calls: HttpCalls) -> None:
    told.answers["/"] = lambda request: CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert calls.ask("/").content == b"abc"


BROKEN = {
    "nothing": b"",
    "half of the headers": OK + b"Content-Le",
    "half of the bytes": OK + b"Content-Length: 8\r\n\r\nhalf",
    "half of the chunks": CHUNKED + b"2\r\nab\r\n",
    "half of a chunk": CHUNKED + b"8\r\nab",
    "a chunk of no length": CHUNKED + b"zz\r\nab\r\n",
}


@pytest.mark.parametrize("written", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_breaks_off_is_none(
    told: HttpServer, calls: HttpCalls, written: bytes
) -> None:
    told.answers["/"] = lambda request: written
    with pytest.raises(GoneError):
        calls.ask("/")


GARBAGE = {
    "no http": b"220 mail.example ESMTP\r\n",
    "a long line": b"HTTP/1.1 200 " + b"x" * 100_000,
    "many headers": OK + b"a: b\r\n" * 1_000 + b"\r\n",
}


@pytest.mark.parametrize("written", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_http_is_wrong(told: HttpServer, calls: HttpCalls, written: bytes) -> None:
    told.answers["/"] = lambda request: written
    with pytest.raises(WrongError):
        calls.ask("/")


def test_a_silent_server_is_gone_after_the_deadline(told: HttpServer) -> None:
    released = threading.Event()

    def wait(request: Any) -> Response:
        released.wait(60)
        return Response()

    told.answers["/"] = wait
    calls = HttpCalls(Target("oip-http", told.url, "sums", deadline_seconds=0.1))
    with pytest.raises(GoneError, match="did not answer before the deadline"):
        calls.ask("/")
    released.set()
    calls.close()


def test_a_server_that_sends_a_byte_now_and_then_is_gone_after_the_deadline(
    told: HttpServer,
) -> None:
    gone = threading.Event()

    def trickle() -> Iterator[bytes]:
        yield OK + b"Content-Length: 1000\r\n\r\n"
        while not gone.wait(0.02):
            yield b"x"

    told.answers["/"] = lambda request: trickle()
    calls = HttpCalls(Target("oip-http", told.url, "sums", deadline_seconds=0.2))
    with pytest.raises(GoneError, match=r"did not (answer|end) before the deadline"):
        calls.ask("/")
    gone.set()
    calls.close()


def test_a_port_where_nobody_listens_is_gone() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        calls = HttpCalls(Target("oip-http", f"http://127.0.0.1:{port}", "sums"))
        with pytest.raises(GoneError):
            calls.ask("/")
        calls.close()


def test_a_failed_call_leaves_no_connection_with_the_rest_of_an_answer(
    told: HttpServer, calls: HttpCalls
) -> None:
    told.answers["/long"] = lambda request: Response(b"x" * 1_000_000, 400)
    with pytest.raises(RefusedError):
        calls.ask("/long")
    assert calls.ask("/").content == b"{}"
