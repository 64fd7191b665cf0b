"""The errors of object stores' clients, which have classes of their own, as OSErrors."""

from contextlib import ContextDecorator
import traceback

# What these packages raise is often no OSError, though it tells of one: no connection, no
# credentials, a request that was refused.
_CLIENTS = frozenset({"aiobotocore", "aiohttp", "botocore", "gcsfs", "google", "requests", "s3fs"})


class _PlainErrors(ContextDecorator):
    """See `plain_errors`. Keeps nothing, so that all threads share one."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Let pass what is an OSError, and raise one in place of what a client has raised."""
        if isinstance(error, OSError):
            # Callers put `strerror` into their own messages, and not every OSError has one.
            if error.strerror is None:
                error.strerror = _to_one_line(error)
            return
        if not isinstance(error, Exception) or not _comes_through_a_client(error):
            return
        plain = OSError(_to_one_line(error))
        plain.strerror = str(plain)
        raise plain from error


# A generator would be made anew for each file, which takes as long as to look at one.
_PLAIN_ERRORS = _PlainErrors()


def plain_errors() -> _PlainErrors:
    """Raise what a store's client raises as an OSError whose `strerror` is one line."""
    return _PLAIN_ERRORS


def is_of_a_client(error: BaseException) -> bool:
    """Tell whether a store's client defines the error's class."""
    return _belongs_to_a_client(type(error).__module__)


def _comes_through_a_client(error: Exception) -> bool:
    if is_of_a_client(error):
        return True
    # Also by where it was raised: clients let errors of the libraries below them pass.
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [frame.f_globals.get("__name__", "") for frame in frames]
    return any(_belongs_to_a_client(module) for module in modules)


def _belongs_to_a_client(module: str) -> bool:
    package = module.partition(".")[0]
    return package in _CLIENTS


def _to_one_line(error: Exception) -> str:
    words = str(error).split()
    # Some errors of clients have no text.
    if not words:
        return type(error).__name__
    return " ".join(words)
