"""The ways a run can be refused, each with the exit status that it ends with.

Every room raises these; `pipelines/` turns them into one plain line and an exit status. A runner hands a worker's exception back
as text only, so `refusal_in` finds them again in such a text: that is why a message is always one line.
"""

from collections.abc import Iterable, Sequence
import re

# An apostrophe inside a word opens no quotation, and one that is never closed reaches to the end.
_QUOTED = re.compile(
    r"""(?<!\w)[bBrRuU]{0,2}'(?:.*?'(?!\w)|.*)|"(?:[^"\\]|\\.)*(?:"|$)|`[^`]*(?:`|$)|\u2018.*?(?:\u2019(?!\w)|$)|\u201c.*?(?:\u201d|$)"""
)
_MAIL = re.compile(r"[^\s<>,;:()]+@[^\s<>,;()]+")
_NUMBER = re.compile(r"(?<!\w)[-+]?\.?\d[\w.,:+]*(?:[ -]\d[\w.,:+]*)*")
# Names of types and columns end in a few digits at most: `float32`, `column_17`; a customer's number has more.
_WITH_DIGITS = re.compile(r"(?<!\w)(?![A-Za-z_]+\d{1,3}(?!\w))(?=\w*\d)\w+")
_WORD = re.compile(r"[^\W_]{3,}")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_SHOWN_BYTES = 2_000


class Refusal(Exception):
    """A run that cannot go on for a reason that a user can act on; `str()` is the one line to show.

    Attributes:
        status: exit status of the process.
    """

    status = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class WorkerError(Refusal):
    """A device or a worker that failed under the work, so that the same command, elsewhere or later, may do better."""

    status = 1


class JobError(Refusal):
    """Bad usage, or a job that does not say what it must."""

    status = 2


class InputError(Refusal):
    """An input shard that is missing, unreadable, changed, or not what the model's contract asks for."""

    status = 3


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


_REFUSALS = {c.__name__: c for c in (WorkerError, JobError, InputError, ModelError, VerifyError, BudgetError, PublishError)}
_IN_TEXT = re.compile(r"(?:configs\.errors\.)(\w+): (.*?)(?= \[while running|\\n|\n|$)")


def refusal_in(text: str) -> Refusal | None:
    r"""The last refusal that a runner's error text contains, or None.

    >>> refusal_in("Traceback ...\nconfigs.errors.InputError: a.csv: gone [while running 'ReadShards']")
    InputError('a.csv: gone')
    """
    found = [(name, message) for name, message in _IN_TEXT.findall(text) if name in _REFUSALS]
    return _REFUSALS[found[-1][0]](found[-1][1]) if found else None


class RowError(ValueError):
    """Why a row is rejected, in words of our own: a message that names columns and types, and never a value."""


def shown(error: BaseException, values: Iterable[str] = ()) -> str:
    """An error's message as records and logs may hold it: one line of at most 2 000 bytes (UTF-8) without a row's values.

    Messages of ours are written without values. In those of libraries, models and users' functions, what stands in quotes, numbers, mail
    addresses, every text of `values` and every longer word of one is blotted out, and addresses of objects are left out, so that the
    same bad row leaves the same record.

    >>> shown(ValueError("could not convert string to float: 'Ann' in row 17"))
    'could not convert string to float: *** in row ***'
    >>> shown(ValueError("no such town: SPRINGFIELD"), ["Springfield, Ohio"])
    'no such town: ***'
    """
    line = _ADDRESS.sub("", " ".join(str(error).split()))
    if not isinstance(error, Refusal | RowError):
        line = _blotted(line[: 4 * _SHOWN_BYTES], list(values))
    return line.encode()[:_SHOWN_BYTES].decode(errors="ignore")


def _blotted(line: str, values: Sequence[str]) -> str:
    for value in sorted({" ".join(v.split()) for v in values if v.strip()}, key=len, reverse=True):
        line = _whole(value).sub("***", line)
    words = {word.casefold() for value in values for word in _WORD.findall(value)}
    line = _WORD.sub(lambda found: "***" if found.group().casefold() in words else found.group(), line)
    for pattern in (_QUOTED, _MAIL, _NUMBER, _WITH_DIGITS):
        line = pattern.sub("***", line)
    return line


def _whole(value: str) -> re.Pattern[str]:
    """The value in a message, whatever its case; one of few characters not inside a word."""
    edge = r"(?<!\w){}(?!\w)" if len(value) < 4 else "{}"
    return re.compile(edge.format(re.escape(value)), re.IGNORECASE)
