"""Asks a server over HTTP, and tells its failures apart.

urllib3 and not httpx: both keep connections, and a call takes half of the processor's time. HTTP/2
would send several requests over one connection; a request is a whole batch, so each has its own.
"""

from collections.abc import Mapping
from http.client import HTTPException, IncompleteRead
import ssl
import time
from typing import Any, NamedTuple

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError, SSLError

from model_zoo.remote.failures import (
    DeniedError,
    GoneError,
    RemoteError,
    TooLargeError,
    WrongError,
    quote_server,
)
from model_zoo.remote.http_pool import open_pool
from model_zoo.remote.http_statuses import find_words, tell_status
from model_zoo.remote.target import Target
from model_zoo.remote.tokens import read_token
from model_zoo.remote.urls import read_http_url

# More than any batch of scores has, as text; a server that sends more without an end fills no memory.
MOST_ANSWER_BYTES = 256 * 2**20
# Of what a server says of a failure.
_MOST_ERROR_BYTES = 2**16
_READ_BYTES = 2**20
_HEADERS = {
    # A small answer that is unpacked to gigabytes is refused unread.
    "accept-encoding": "identity",
    "user-agent": "columnar-batch-prediction",
}


class HttpAnswer(NamedTuple):
    """A whole answer of status 200; the names of headers are written in any case."""

    headers: Mapping[str, str]
    content: bytes


class HttpCalls:
    """Connections to one server, kept from one call to the next; several threads call at once."""

    def __init__(self, target: Target) -> None:
        """Take note of where the server is.

        Args:
            target: whose URL is one of HTTP.

        Raises:
            JobError: it is not, or a file of a certificate cannot be read.
        """
        self._target = target
        self._pool = open_pool(read_http_url(target), target)

    def ask(self, path: str) -> HttpAnswer:
        """Return the answer to GET, as `call`."""
        return self._call("GET", path, None, {})

    def send(
        self,
        path: str,
        content: bytes,
        headers: Mapping[str, str],
    ) -> HttpAnswer:
        """Return the answer to POST.

        Args:
            path: on the server, behind what its URL ends with; quoted.
            content: what is sent.
            headers: what it is, beside those of every call; names in lower case.

        Raises:
            RemoteError: there is no answer of status 200; its class says what is to be done.
            JobError: there is no token where the job says that there is one.
        """
        return self._call("POST", path, content, headers)

    def close(self) -> None:
        """Let all connections go."""
        self._pool.connections.close()

    def _call(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> HttpAnswer:
        sent = {**_HEADERS, **headers}
        token = read_token(self._target.token)
        secrets = []
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
            secrets.append(token)
        end = time.monotonic() + self._target.deadline_seconds
        try:
            response = self._request(method, path, content, sent)
            try:
                return self._read(response, end, secrets)
            finally:
                # One that was read to its end has gone back to the pool, and this does nothing.
                response.close()
        except (HTTPError, HTTPException, OSError) as error:
            raise _tell_error(error) from None

    def _request(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> Any:
        # Redirects are refused: rows and token would go to whoever the server names. Who asks again,
        # and when, is decided in calls.py, which counts.
        return self._pool.connections.urlopen(
            method,
            self._pool.prefix + path,
            body=content,
            headers=headers,
            retries=False,
            redirect=False,
            # To a proxy the whole address is said.
            assert_same_host=False,
            timeout=urllib3.Timeout(total=self._target.deadline_seconds),
            preload_content=False,
            decode_content=False,
        )

    def _read(self, response: Any, end: float, secrets: list[str]) -> HttpAnswer:
        encoding = response.headers.get("content-encoding", "identity")
        if response.status == 200 and encoding != "identity":
            raise WrongError(f"the answer is packed by {encoding!r}, though that was not asked for")
        if response.status == 200:
            return HttpAnswer(response.headers, _read_whole(response, end))
        said = find_words(_read_beginning(response))
        words = quote_server(said.words, secrets)
        raise tell_status(response.status, response.headers, words, said.kind)


def _read_whole(response: Any, end: float) -> bytes:
    """Return all bytes of an answer.

    Args:
        response: of which nothing has been read.
        end: when it must be there, by the monotonic clock.
    """
    told = response.headers.get("content-length", "")
    if not told and not response.chunked:
        # Every server of HTTP/1.1 tells one of them: these are the headers of one that was killed.
        raise GoneError("the answer broke off before its length was told")
    if told.isdigit() and int(told) > MOST_ANSWER_BYTES:
        raise TooLargeError(f"the answer has {told} bytes, more than {MOST_ANSWER_BYTES:,}")
    parts = []
    total = 0
    # Piece by piece: a server that sends a byte now and then would keep a longer read waiting.
    while piece := response.read1(_READ_BYTES):
        parts.append(piece)
        total += len(piece)
        if total > MOST_ANSWER_BYTES:
            raise TooLargeError(f"the answer has more than {MOST_ANSWER_BYTES:,} bytes")
        if time.monotonic() > end:
            raise GoneError("the answer did not end before the deadline")
    if told.isdigit() and total != int(told):
        raise GoneError(f"the answer ended after {total:,} of {int(told):,} bytes")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_beginning(response: Any) -> bytes:
    """Return some of what a server says of a failure; nothing where it breaks off."""
    try:
        beginning: bytes = response.read1(_MOST_ERROR_BYTES)
    except (HTTPError, HTTPException, OSError):
        return b""
    return beginning


def _tell_error(error: Exception) -> RemoteError:
    """Return the failure that a library's error is."""
    cause = _find_cause(error)
    words = quote_server(str(cause))
    message = f"{type(cause).__name__}: {words}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return DeniedError(f"{message}; model.tls.ca must name who has signed its certificate")
    if isinstance(cause, ssl.SSLError) and "CERTIFICATE" in str(cause):
        return DeniedError(f"{message}; model.tls.certificate must be one that the server trusts")
    if isinstance(error, ReadTimeoutError):
        return GoneError("the server did not answer before the deadline")
    # A status line or header that is none, or too long: what speaks there is no HTTP server.
    is_garbage = isinstance(cause, HTTPException) and not isinstance(
        cause, IncompleteRead | ConnectionError
    )
    if is_garbage:
        return WrongError(message)
    return GoneError(message)


def _find_cause(error: Exception) -> BaseException:
    """Return what urllib3 has wrapped up."""
    if isinstance(error, ProtocolError | SSLError):
        for part in error.args:
            if isinstance(part, BaseException):
                return part
    return error
