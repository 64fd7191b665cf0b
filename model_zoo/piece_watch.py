"""Wait for work that goes piece by piece, of which none may take for ever: a picture, some texts.

Code of libraries that hangs, or counts through the night, cannot be interrupted. So it runs on a
thread that can be left behind, and whoever waits looks when the piece under way was begun.

    one_piece():      begun .... done   begun .... done   begun .................
    run_watched():       look     look     look     look     look    gives up
"""

from collections.abc import Callable
from concurrent import futures
from contextlib import AbstractContextManager
from dataclasses import dataclass
import threading
import time
from typing import TypeVar

from configs.errors import WorkerError
from model_zoo.scoring.daemon_threads import DaemonThreads

T = TypeVar("T")
_LOOK_EVERY_SECONDS = 1.0


@dataclass
class _Piece:
    """The piece under way.

    Attributes:
        began: seconds of the monotonic clock; None between pieces.
    """

    began: float | None = None


class _OfThread(threading.local):
    """What a thread that works knows of its piece, and one that waits of its companion."""

    piece: _Piece | None = None
    companion: DaemonThreads | None = None


_of_thread = _OfThread()


class _OnePiece:
    """A block that is one piece.

    A class, because a generator takes several times as long, and tiny pictures take microseconds.
    """

    def __enter__(self) -> None:
        piece = _of_thread.piece
        if piece is not None:
            piece.began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        piece = _of_thread.piece
        if piece is not None:
            piece.began = None


# It keeps nothing itself, so one will do.
_one_piece = _OnePiece()


def one_piece() -> AbstractContextManager[None]:
    """Mark the block as one piece of the work, if this thread's work is watched."""
    return _one_piece


def run_watched(work: Callable[[], T], seconds: float, what: str) -> T:
    """Do some work on a thread that can be left behind, and return what it returns.

    Args:
        work: marks its pieces with `one_piece`.
        seconds: the longest time that a piece may take.
        what: the work, for the message.

    Raises:
        WorkerError: a piece took longer.
        Exception: whatever the work raises.
    """
    piece = _Piece()

    def work_on_pieces() -> T:
        _of_thread.piece = piece
        return work()

    if _of_thread.companion is None:
        _of_thread.companion = DaemonThreads(1, "preprocess-watched")
    done = _of_thread.companion.submit(work_on_pieces)
    while True:
        began = piece.began
        left = seconds
        if began is not None:
            left = began + seconds - time.monotonic()
        pause = min(max(0.0, left), _LOOK_EVERY_SECONDS)
        if futures.wait([done], timeout=pause).done:
            return done.result()
        # A piece that ended meanwhile has given way to a younger one.
        if left <= 0 and piece.began == began:
            # It keeps its thread for good.
            _of_thread.companion = None
            raise WorkerError(
                f"{what} took longer than {seconds:g} s, so the run stops: "
                "run again to resume, or raise model.timeout_seconds"
            )
