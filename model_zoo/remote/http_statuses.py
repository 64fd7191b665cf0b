"""Which failure a status of HTTP is."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
import json
from typing import NamedTuple

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

_ROWS = {400, 422}
_BUSY = {429, 503}
# TorchServe answers 503 for a model that raised an error, too, and tells the two apart by this word.
_TORCHSERVE_FAILED = "InternalServerException"
_DENIED = {401, 403, 407}
# Of a proxy before the server, and of a server that waited for the request in vain.
_GONE = {408, 502, 504}
# Where servers put what they say.
_WORDS = ("error", "message", "detail")


class Said(NamedTuple):
    """What a server says of a failure.

    Attributes:
        words: the text in its JSON, or all of it.
        kind: the failure's class, where it names one.
    """

    words: str
    kind: str = ""


def tell_status(
    status: int,
    headers: Mapping[str, str],
    words: str,
    kind: str = "",
) -> RemoteError:
    """Return the failure that a status is.

    Args:
        status: any but 200.
        headers: of the answer; names in any case.
        words: what the server says, as messages may hold it.
        kind: the failure's class, where the server names one.

    >>> type(tell_status(429, {"retry-after": "2"}, "later")).__name__
    'BusyError'
    """
    message = f"status {status}: {words}" if words else f"status {status}"
    if status in _ROWS:
        return RefusedError(message)
    if status == 413:
        return TooLargeError(message)
    if kind == _TORCHSERVE_FAILED:
        return RefusedError(message, is_certain=False)
    if status in _BUSY:
        return BusyError(message, read_retry_after(headers.get("retry-after", "")))
    if status in _DENIED:
        return DeniedError(message)
    if status in _GONE:
        return GoneError(message)
    if status == 404:
        return MissingError(message)
    if 300 <= status < 400:
        return WrongError(f"{message}; a redirect is never followed: name the place itself")
    if status >= 500:
        # A server may fail so on a row, and by itself.
        return RefusedError(message, is_certain=False)
    return WrongError(message)


def find_words(content: bytes) -> Said:
    """Return what a server says of a failure.

    >>> find_words(b'{"error": "no such model"}').words, find_words(b"no such model").words
    ('no such model', 'no such model')
    """
    everything = content.decode(errors="replace")
    try:
        said = json.loads(content)
    # What is deep is no message either.
    except (ValueError, RecursionError):
        return Said(everything)
    if not isinstance(said, dict):
        return Said(everything)
    candidates = [said.get(field) for field in _WORDS]
    texts = [text for text in candidates if isinstance(text, str)]
    words = texts[0] if texts else everything
    kind = str(said.get("type", ""))
    return Said(words, kind)


def read_retry_after(value: str) -> float | None:
    """Return how many seconds a server asks to be left alone: it tells seconds, or a date.

    >>> read_retry_after("120"), read_retry_after("soon")
    (120.0, None)
    """
    if value.isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        return None
    seconds = (date - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds)
