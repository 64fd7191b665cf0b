"""Which failure a status is: what is sent again, what is of the rows, what ends the run."""

import pytest

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
from model_zoo.remote.http_statuses import find_words, read_retry_after, tell_status

STATUSES: list[tuple[type[RemoteError], tuple[int, ...]]] = [
    (WrongError, (201, 204, 299, 300, 301, 307, 399, 402, 405, 410, 451, 499)),
    (RefusedError, (400, 422, 500, 501, 505, 599)),
    (DeniedError, (401, 403, 407)),
    (MissingError, (404,)),
    (GoneError, (408, 502, 504)),
    (TooLargeError, (413,)),
    (BusyError, (429, 503)),
]


@pytest.mark.parametrize(("kind", "statuses"), STATUSES)
def test_a_status_is_one_failure(kind: type[RemoteError], statuses: tuple[int, ...]) -> None:
    for status in statuses:
        failure = tell_status(status, {}, "words")
        assert type(failure) is kind, status
        says_more = 300 <= status < 400
        assert str(failure).startswith(f"status {status}: words")
        assert ("a redirect is never followed" in str(failure)) is says_more


@pytest.mark.parametrize(("status", "is_certain"), [(400, True), (422, True), (500, False)])
def test_a_server_that_fails_may_fail_by_itself(status: int, is_certain: bool) -> None:
    failure = tell_status(status, {}, "")
    assert isinstance(failure, RefusedError)
    assert failure.is_certain is is_certain
    assert str(failure) == f"status {status}"


def test_a_model_that_raised_is_no_busy_server() -> None:
    failure = tell_status(503, {}, "oh", "InternalServerException")
    assert isinstance(failure, RefusedError)
    assert not failure.is_certain
    assert isinstance(tell_status(503, {}, "oh", "ServiceUnavailableException"), BusyError)


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "Sat, 02 May 2026 01:00:00 -0000"])
def test_what_is_no_time_is_none(value: str) -> None:
    assert read_retry_after(value) is None


SAID = {
    b'{"error": "no", "type": "Oh"}': ("no", "Oh"),
    b'{"message": "no"}': ("no", ""),
    b'{"detail": "no", "error": 7}': ("no", ""),
    b'{"detail": "second", "error": "first"}': ("first", ""),
    b'{"code": 7}': ('{"code": 7}', ""),
    b'["no"]': ('["no"]', ""),
    b"no \xff": ("no \ufffd", ""),
    b"[" * 100_000: ("[" * 100_000, ""),
}


@pytest.mark.parametrize("content", SAID, ids=range(len(SAID)))
def test_words_are_found_wherever_servers_put_them(content: bytes) -> None:
    assert find_words(content) == SAID[content]
