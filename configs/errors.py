"""The ways a run can be refused, each with the exit status that it ends with.

Every room raises these; `pipelines/` turns them into one plain line and an exit status. A runner hands a worker's exception back
as text only, so `refusal_in` finds them again in such a text: that is why a message is always one line.
"""

import re
import traceback


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


class OtherContentError(PublishError):
    """Scores that another launcher of the same run has published first, and differently."""


_ALL = (WorkerError, JobError, InputError, ModelError, VerifyError, BudgetError, PublishError, OtherContentError)
_REFUSALS = {c.__name__: c for c in _ALL}
_IN_TEXT = re.compile(r"(?:configs\.errors\.)(\w+): (.*?)(?= \[while running|\\n|\n|$)")


def refusal_of(error: BaseException) -> Refusal | None:
    """The refusal that an error is, or that a runner has wrapped up in it, or None."""
    return refusal_in("".join(traceback.format_exception_only(error)))


def refusal_in(text: str) -> Refusal | None:
    r"""The last refusal that a runner's error text contains, or None.

    >>> refusal_in("Traceback ...\nconfigs.errors.InputError: a.csv: gone [while running 'ReadShards']")
    InputError('a.csv: gone')
    """
    found = [(name, message) for name, message in _IN_TEXT.findall(text) if name in _REFUSALS]
    return _REFUSALS[found[-1][0]](found[-1][1]) if found else None


class RowError(ValueError):
    """Why a row is rejected, in words of our own: a message that names columns and types, and never a value."""
