"""Tells a server that fails for a moment from one that is down."""

from dataclasses import dataclass
import threading

from model_zoo.remote.failures import RemoteError


@dataclass
class Circuit:
    """Opens, for good, once a server has given nothing but failures for as long as one has patience.

    A run then ends with one line, and the same command goes on with it: that is better than to wait
    for a server that nobody may be about to start.

    Attributes:
        patience_seconds: from the first failure on.
    """

    patience_seconds: float

    def __post_init__(self) -> None:
        self._failing_since: float | None = None
        self._lock = threading.Lock()
        self.failure: RemoteError | None = None

    def note_answer(self) -> None:
        """Take note that the server has answered."""
        with self._lock:
            self._failing_since = None

    def note_failure(self, failure: RemoteError, sent: float, now: float) -> None:
        """Take note of a failure that another try may be better than.

        Args:
            failure: of the last request.
            sent: when it was sent, by a clock that only goes forward.
            now: when it failed.
        """
        with self._lock:
            if self._failing_since is None:
                self._failing_since = sent
            is_down = now - self._failing_since >= self.patience_seconds
        if is_down:
            seconds = self.patience_seconds
            self.open(give_up(failure, f"nothing but failures for {seconds:g} seconds"))

    def open(self, failure: RemoteError) -> None:
        """Let nothing more be sent.

        Args:
            failure: that ends the run.
        """
        with self._lock:
            # The first one is the cause; what comes after it may be its consequence.
            if self.failure is None:
                self.failure = failure

    @property
    def is_open(self) -> bool:
        """Tell whether nothing more is to be sent."""
        return self.failure is not None

    def refuse_when_open(self) -> None:
        """Raise what ends the run, where something does.

        Raises:
            RemoteError: as it was told to `open`.
        """
        if self.failure is not None:
            # One of its own for each thread that is told.
            kind = type(self.failure)
            raise kind(str(self.failure))


def give_up(failure: RemoteError, why: str) -> RemoteError:
    """Return a failure that says how long others like it were borne.

    Args:
        failure: the last one.
        why: how long.
    """
    kind = type(failure)
    return kind(f"{failure}; {why}: start the same command again when the server is back")
