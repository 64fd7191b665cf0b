"""The ways in which a server fails to answer: one class for each thing that is then to be done.

| class | to be done |
|---|---|
| `RefusedError` | the rows may be to blame: try with half of them, until they are alone |
| `TooLargeError` | the same; a batch of fewer rows is smaller |
| `BusyError` | ask again later, and less at a time |
| `GoneError` | ask again later: another try may find a server that is back |
| `MissingError` | the same, once the model has answered: the server may have been restarted |
| `WrongError` | end the run: no answer of this server can be trusted |
| `DeniedError` | end the run: somebody must be allowed first |

A message is one line of ours; of what a server says itself only `quote_server` lets through what
can be no value of a row and no secret.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from configs.errors import ModelError, Refusal, ServerError
from configs.redaction import shown


class RemoteError(Exception):
    """A request that has no answer; each has one of the classes below."""


class RefusedError(RemoteError):
    """The server has read the request and refused it: its rows may be to blame.

    Attributes:
        is_certain: False where the server may have failed by itself (500, INTERNAL), so that the
            same request is worth another try before its rows are blamed.
    """

    def __init__(self, message: str, is_certain: bool = True) -> None:
        super().__init__(message)
        self.is_certain = is_certain


class TooLargeError(RefusedError):
    """The request, or its answer, has more bytes than one side takes."""


class BusyError(RemoteError):
    """The server has too much to do (429, 503, RESOURCE_EXHAUSTED).

    Attributes:
        retry_after_seconds: how long it asks to be left alone; None where it does not say.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class GoneError(RemoteError):
    """There is no server, it broke off, or it took too long."""


class MissingError(GoneError):
    """The server knows no such model or version, or has not loaded it yet."""


class WrongError(RemoteError):
    """An answer that is not of this request, this model or this protocol.

    Garbage, fewer rows, other shapes, another version. It is never taken for a fault of the rows,
    and never asked for again: the next answer could be as wrong and not look so.
    """


class DeniedError(RemoteError):
    """The server does not let us in (401, 403, UNAUTHENTICATED), or is not who it must be."""


@contextmanager
def about(url: str) -> Iterator[None]:
    """Put the server's URL before the message of any failure in the block.

    Args:
        url: as the job names the server.
    """
    try:
        yield
    except RemoteError as failure:
        message = f"{url}: {failure}"
        # In its place: each class keeps what else it knows.
        failure.args = (message,)
        raise


def quote_server(text: str, secrets: Iterable[str] = ()) -> str:
    """Return what a server has said, as messages may hold it.

    Args:
        text: the server's words, which may repeat values of rows and what it was sent.
        secrets: what must not be told, as the token that was shown.

    >>> quote_server("invalid value 'Ann' in row 17")
    'invalid value *** in row ***'
    """
    stranger = ValueError(text)
    return shown(stranger, secrets)


def make_refusal(failure: RemoteError) -> Refusal:
    """Return what ends the run, for a failure that nothing more is to be tried about.

    >>> make_refusal(GoneError("grpc://host:8001: connection refused"))
    ServerError('grpc://host:8001: connection refused')
    """
    message = str(failure)
    if isinstance(failure, MissingError):
        return ModelError(message)
    if isinstance(failure, BusyError | GoneError | DeniedError):
        return ServerError(message)
    return ModelError(message)
