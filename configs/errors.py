"""The ways a run can be refused, each with the exit status that it ends with.

Every room raises these; `pipelines/` turns them into one plain line and an exit status. A runner
hands a worker's exception back as text only, so `refusal_in` finds them again in such a text: that
is why a message is always one line.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
import re
import threading
import traceback
from typing import Any

# A path has 4 096 characters at most. What is longer is a stranger's name for something, and would push
# what to do out of sight.
_LONGEST_WORD = 8_000
# Of all that is asked for at once.
_LONGEST_LINE = 20_000
_LINE_END = re.compile(r"(?<!\\)\\n")
# Beam's, behind the message.
_STEP = " [while running"


def _shorten(text: str, most: int) -> str:
    """Return a text of at most so many characters, with its beginning and its end."""
    if len(text) <= most:
        return text
    kept = most // 2 - 2
    return f"{text[:kept]}...{text[-kept:]}"


class Refusal(Exception):
    """A run that cannot go on for a reason that a user can act on; `str()` is the one line to show.

    Attributes:
        status: exit status of the process.
    """

    status = 1

    def __init__(self, message: str) -> None:
        # A library's text in the message may have lines, and `refusal_in` reads to the first line's
        # end.
        words = [_shorten(word, _LONGEST_WORD) for word in message.split()]
        line = _shorten(" ".join(words), _LONGEST_LINE)
        # As `repr` writes the end of a line in a stranger's name: it ends no message.
        super().__init__(_LINE_END.sub(r"\\x0a", line))


class WorkerError(Refusal):
    """A device or a worker that failed under the work; elsewhere or later it may do better."""

    status = 1


class JobError(Refusal):
    """Bad usage, or a job that does not say what it must."""

    status = 2


class InputError(Refusal):
    """An input shard that is missing, unreadable, changed, or not as the contract asks."""

    status = 3


class ChangedError(InputError):
    """An input file that is gone, or not what it was when the run was planned."""


class ModelError(Refusal):
    """A model package that is incomplete, altered, or does not do what it declares."""

    status = 3


class VerifyError(Refusal):
    """A published run that is not what its manifest says."""

    status = 3


class BudgetError(Refusal):
    """More rejected rows than the job allows."""

    status = 4


class PublishError(Refusal):
    """Scores that could not be stored or published."""

    status = 5


class ServerError(Refusal):
    """A server that holds the model and does not answer; the same command goes on when it is back."""

    status = 5


class GateError(Refusal):
    """A model that is not as much better as its promotion was made to depend on."""

    status = 6


class HeldError(Refusal):
    """Scores that are kept from being published by the job's own monitor."""

    status = 6


class OtherContentError(PublishError):
    """Scores that another launcher of the same run has published first, and differently."""


class SupersededError(PublishError):
    """Scores that are published, while readers stay with a run that was planned later."""


_ALL = (
    WorkerError,
    JobError,
    InputError,
    ChangedError,
    ModelError,
    VerifyError,
    BudgetError,
    PublishError,
    ServerError,
    GateError,
    HeldError,
    OtherContentError,
    SupersededError,
)
_REFUSALS = {refusal.__name__: refusal for refusal in _ALL}
# Beam puts the failing step behind the message; a traceback that was quoted in another has `\n` as
# two characters.
_IN_TEXT = re.compile(r"(?:configs\.errors\.)(\w+): (.*?)(?= \[while running|\\n|\n|$)")


def refusal_of(error: BaseException) -> Refusal | None:
    """Return the refusal that an error is, or that a runner has wrapped up in it, or None."""
    if isinstance(error, Refusal):
        message, _, _ = str(error).partition(_STEP)
        # Not called as a class is: some make their message of other things than a message.
        kind = type(error)
        return kind.__new__(kind, message)
    text = "".join(traceback.format_exception_only(error))
    return refusal_in(text)


def refusal_in(text: str) -> Refusal | None:
    r"""Return the last refusal that a runner's error text contains, or None.

    >>> refusal_in("Traceback ...\nconfigs.errors.InputError: a.csv: gone [while running 'ReadShards']")
    InputError('a.csv: gone')
    """
    last = None
    for name, message in _IN_TEXT.findall(text):
        refusal = _REFUSALS.get(name)
        # A traceback ends with the error that came out; those before it are its causes.
        if refusal is not None:
            last = refusal(message)
    return last


class CrashError(Exception):
    """What somebody else's code raised that is no `Exception`: a panic of a library, a wish to exit.

    Attributes:
        kind: the name of its class.
    """

    def __init__(self, kind: str, message: str) -> None:
        text = kind
        if message:
            text = f"{kind}: {message}"
        super().__init__(text)
        self.kind = kind

    def __reduce__(self) -> Any:
        return _make_crash, (str(self), self.kind)


class _CrashesAsErrors:
    """A block whose crashes become errors.

    A class, because a generator takes several times as long, and tiny pictures take microseconds.
    """

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, crash: BaseException | None, trace: object) -> None:
        # A panic of Rust code, and SystemExit, are no Exceptions.
        if crash is None or isinstance(crash, Exception):
            return
        # Only the main thread is told of Ctrl-C.
        is_told = threading.current_thread() is threading.main_thread()
        if isinstance(crash, KeyboardInterrupt) and is_told:
            return
        raise CrashError(type(crash).__name__, text_of(crash)) from crash


# It keeps nothing itself, so one will do.
_crashes_as_errors = _CrashesAsErrors()


def crashes_as_errors() -> AbstractContextManager[None]:
    """Raise a `CrashError` for whatever the block raises that is no `Exception`.

    The block is code of a library or of a user. Nothing that it raises may end a worker's thread, or
    the program with status 0 and without a word. Ctrl-C stays what it is.
    """
    return _crashes_as_errors


def text_of(error: BaseException) -> str:
    """Return an error's text; nothing where its own class fails to give one.

    >>> text_of(ValueError("too long"))
    'too long'
    """
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - of somebody else's class, which may raise anything
        return ""


def _make_crash(text: str, kind: str) -> CrashError:
    """Make one again in another process."""
    message = text.removeprefix(kind).removeprefix(": ")
    return CrashError(kind, message)


class RowError(ValueError):
    """Why a row is rejected, in words of our own: it names columns and types, and never a value."""


# Not frozen: Python writes the traceback of an exception that is raised.
@dataclass(eq=False)
class RejectedRows(Exception):
    """Rows that a stage cannot take; the others of their batch go on without them.

    Attributes:
        reasons: why, by the row's position in the batch.
    """

    reasons: Mapping[int, Exception]
