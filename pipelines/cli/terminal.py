"""Text on stdout and stderr, whatever becomes of those and whatever the text holds.

A closed or full stdout, a reader who has left, letters that a terminal cannot show: none of them may
end a program, because telling about a run is no part of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import os
import re
import sys
from typing import IO, Any, TextIO

from configs.errors import PublishError

_STANDARD_FILES = 3
_STDOUT = 1
# By the number of what was closed: what nobody holds is closed again.
_held: dict[int, IO[bytes]] = {}
# What a stream fails with: the system's reasons, and Python's own for one that is closed, or that a
# signal has interrupted in the midst of writing.
_LOST = (OSError, ValueError, RuntimeError)
# What moves the cursor, colours, renames windows, or turns the order of letters round. A name of a
# file or column may hold any of it. The line break is ours.
_CONTROLS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Of a name that is not UTF-8.
_BYTES = re.compile("[\ud800-\udfff]")
# What Python adds to such a byte.
_FIRST_KEPT_BYTE = 0xDC00


def hold_standard_files() -> None:
    """Open what was closed of stdin, stdout and stderr, on nothing.

    Otherwise the next file that is opened takes the number of one, an output file for example, and
    whatever is meant for stderr goes into it.
    """
    for number in range(_STANDARD_FILES):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, and so this one.
            held = open(os.devnull, "r+b", buffering=0)  # noqa: SIM115 - until the process ends
            _held[number] = held
            # Worker processes need it as much.
            os.set_inheritable(number, True)
    # Python has none where the file was closed when it started; libraries rely on them.
    if sys.stdout is None:
        sys.stdout = _open_nowhere()
    if sys.stderr is None:
        sys.stderr = _open_nowhere()


def make_harmless(text: str) -> str:
    r"""Return the text with control characters written out, as Python writes them.

    Bytes of a file's name that are no letters are such, too.

    >>> print(make_harmless("a\x1b[2Jb\udcff.csv"))
    a\x1b[2Jb\xff.csv
    """
    return _CONTROLS.sub(_write_out, text)


def make_unicode(text: str) -> str:
    r"""Return the text with bytes that are no letters written out, as every reader of JSON wants it.

    >>> make_unicode("a\udcff.csv")
    'a\\xff.csv'
    """
    return _BYTES.sub(_write_out, text)


def write_text(stream: TextIO, text: str) -> Exception | None:
    """Write text and a line break, at once.

    Letters that the stream's encoding lacks are written out.

    Args:
        stream: where to.
        text: what; it is written as it is but for those letters.

    Returns:
        Why it cannot be written; None where it was.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    encoded = text.encode(encoding, errors="backslashreplace")
    try:
        print(encoded.decode(encoding), file=stream, flush=True)
    except _LOST as error:
        return error
    return None


def write_result(text: str, what: str) -> None:
    """Write to stdout what a program is for: without it, the program has failed.

    Args:
        text: the result.
        what: what it is, for the message.

    Raises:
        PublishError: it cannot be written, and not because its reader has seen enough.
    """
    if _STDOUT in _held:
        # Writing would succeed, on nothing.
        raise PublishError(
            f"stdout: {what} cannot be written: it is closed; let stdout lead somewhere"
        )
    error = write_text(sys.stdout, text)
    if error is None or isinstance(error, BrokenPipeError):
        return
    reason = getattr(error, "strerror", None) or error
    raise PublishError(
        f"stdout: {what} cannot be written: {reason}; make room, or let stdout lead elsewhere"
    )


def flush_quietly(stream: TextIO) -> None:
    """Write what is buffered, if that is possible."""
    with suppress(*_LOST):
        stream.flush()


@contextmanager
def dropped_stderr(number: int) -> Iterator[TextIO]:
    """Let stderr lead nowhere while the block runs, and give a second stream to where it led.

    Args:
        number: file descriptor of stderr.
    """
    encoding = getattr(sys.stderr, "encoding", None)
    copy = os.fdopen(os.dup(number), "w", encoding=encoding, errors="backslashreplace")
    lead_nowhere(number)
    try:
        yield copy
    finally:
        flush_quietly(sys.stderr)
        os.dup2(copy.fileno(), number)
        # What a full disk did not take would be tried once more here.
        with suppress(*_LOST):
            copy.close()


def lead_nowhere(number: int) -> None:
    """Let a file descriptor lead nowhere from now on: itself, because worker processes inherit that."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), number)


def is_file(stream: TextIO, number: int) -> bool:
    """Tell whether a stream writes to this file descriptor, and is no other in its place."""
    with suppress(OSError, ValueError, AttributeError):
        return stream.fileno() == number
    return False


class LenientStream:
    """A stream whose `write` and `flush` never fail, for libraries that draw on it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(*_LOST):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, if that is possible."""
        flush_quietly(self._stream)


def _write_out(found: re.Match[str]) -> str:
    character = found.group()
    # A byte of a name that is not UTF-8, as Python keeps it.
    if "\udc80" <= character <= "\udcff":
        byte = ord(character) - _FIRST_KEPT_BYTE
        return f"\\x{byte:02x}"
    return character.encode("unicode_escape").decode()


def _open_nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")
