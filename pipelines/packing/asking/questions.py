"""What packaging cannot find out, gathered on the way and asked for all at once.

Whoever packs a model for the first time lacks several things. Each is found missing at another place:
in the job, in the sample, in what the network gives. A refusal at the first of them would let the
next one wait for another try, so refusals are kept here as long as anything else can be looked at.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from configs.errors import JobError, Refusal

P = ParamSpec("P")
T = TypeVar("T")


class Questions:
    """Refusals that are kept until all has been looked at."""

    def __init__(self) -> None:
        # By text: two places may ask for the same thing.
        self._refusals: dict[str, Refusal] = {}

    def add(self, refusal: Refusal) -> None:
        """Keep a refusal."""
        self._refusals.setdefault(str(refusal), refusal)

    def begin_with(self, refusal: Refusal) -> None:
        """Keep a refusal that is told before all others."""
        self._refusals = {str(refusal): refusal, **self._refusals}

    def ask(self, find: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Return what `find` finds; None where it refuses, which is kept.

        Args:
            find: looks at something that the author has.
            *args: what it takes.
            **kwargs: what it takes by name.
        """
        try:
            return find(*args, **kwargs)
        except Refusal as refusal:
            self.add(refusal)
            return None

    def refuse(self) -> None:
        """Refuse with all that was kept, in the order in which it was found.

        Raises:
            JobError: several things, or one that the job does not say.
            Refusal: the only one that there is.
        """
        refusals = list(self._refusals.values())
        if not refusals:
            return
        if len(refusals) == 1:
            raise refusals[0]
        # Of several kinds, the author begins with what the command does not say.
        says_too_little = any(isinstance(refusal, JobError) for refusal in refusals)
        kind = JobError if says_too_little else type(refusals[0])
        raise kind("; ".join(self._refusals))
