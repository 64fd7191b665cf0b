"""Watch over calls of the model: what hangs is left behind, and a lost device ends all calls."""

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
import threading
import time

from configs.errors import WorkerError
from configs.redaction import shown_with_class
from model_zoo.arrays import Arrays
from model_zoo.engines.device_errors import is_device_fault
from model_zoo.scoring.call import Call
from model_zoo.scoring.daemon_threads import DaemonThreads

# Another call may find the device lost: so often a waiting one looks whether it did.
_LOOK_EVERY_SECONDS = 1.0


@dataclass
class Watchdog:
    """The watch over all calls of one model in this process.

    Attributes:
        timeout_seconds: longest time that one mini-batch may take.
        lost: why nothing more can be computed in this process; None while it can.
    """

    timeout_seconds: float
    lost: WorkerError | None = field(default=None, init=False)
    _of_thread: threading.local = field(default_factory=threading.local, init=False)

    def refuse_lost(self) -> None:
        """Refuse to compute anything after the device was lost or a call hung.

        Raises:
            WorkerError: it was, or one did.
        """
        if self.lost is not None:
            raise self.lost

    @contextmanager
    def watch(self, call: Call) -> Iterator[None]:
        """Watch the block, which the calling thread computes for a call.

        Raises:
            WorkerError: the device failed in the block.
        """
        thread = threading.get_ident()
        call.began[thread] = time.monotonic()
        try:
            yield
        except Exception as error:
            if not is_device_fault(error):
                raise
            self.lost = _describe_lost_device(error)
            raise self.lost from error
        finally:
            del call.began[thread]

    def wait_for(self, call: Call, work: Callable[[], Arrays]) -> Arrays:
        """Do a call's work on a thread that can be left behind, and return what it returns.

        Code that hangs cannot be interrupted, so the caller only waits for it.

        Args:
            call: whose blocks under `watch` are looked at.
            work: all that the call has to do.

        Raises:
            WorkerError: a block took too long, or another call found that nothing can go on.
            Exception: whatever the work raises.
        """
        done = self._own_thread().submit(work)
        while True:
            # A list, which is made in one step: threads write to the dict meanwhile.
            began = list(call.began.values())
            oldest = min(began, default=time.monotonic())
            left = oldest + self.timeout_seconds - time.monotonic()
            pause = min(max(0.0, left), _LOOK_EVERY_SECONDS)
            if futures.wait([done], timeout=pause).done:
                return done.result()
            # Lost by another call: what this one has begun may hang for as long.
            self.refuse_lost()
            # A block that ended meanwhile has given way to a younger one.
            began = list(call.began.values())
            if left <= 0 and oldest in began:
                raise self._give_up(call)

    def _own_thread(self) -> DaemonThreads:
        """Return the calling thread's companion: each keeps its own, with its streams and buffers."""
        if not hasattr(self._of_thread, "companion"):
            self._of_thread.companion = DaemonThreads(1, "scorer-watched")
        companion: DaemonThreads = self._of_thread.companion
        return companion

    def _give_up(self, call: Call) -> WorkerError:
        """Return why a call ends, and end all others: what hangs keeps its thread for good."""
        took = (
            f"took longer than {self.timeout_seconds:g} s "
            f"for one mini-batch of {call.batch_rows} rows"
        )
        mend = "so the run stops: run again to resume, or raise model.timeout_seconds"
        # This call's error blames its own rows; that of the others must not blame theirs.
        of_others = f"in another batch, the model {took}, {mend}"
        self.lost = WorkerError(of_others)
        return WorkerError(f"the model {took}, {mend}")


def _describe_lost_device(error: Exception) -> WorkerError:
    return WorkerError(
        f"the device failed under the model: {shown_with_class(error)}; "
        "the process cannot go on with it: run again to resume, "
        "with CUDA_LAUNCH_BLOCKING=1 to see which operation it was"
    )
