"""Rows through a network in mini-batches of one size, of which a failing one costs no more than the rows that fail.

    rows 0 ... 15 | 16 ... 31 | 32 ... 39, and row 32 eight times more       three mini-batches of 16 slots

All of a call have the same shape, because a matrix product rounds differently for other shapes. One that fails is halved until a bad
row is alone, and the slots of the other half are filled up again: a good row keeps its slot and its shape, and so its bits. Only
when memory runs out does the shape shrink; the size that fitted is kept for the rows to come.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
import gc
import threading
import time
from typing import Any

import numpy as np
import torch

from configs.errors import ModelError, Refusal, WorkerError
from configs.messages import shown
from model_zoo.card import Tensor
from model_zoo.daemon_threads import DaemonThreads
from model_zoo.device_errors import is_device_fault, is_out_of_memory, without_frames
from model_zoo.output_checks import check_outputs
from model_zoo.pieces import Piece, halves, windows
from model_zoo.placing import Placing, Stopwatch, Tensors

Arrays = dict[str, np.ndarray]
Network = Callable[..., Any]

_ALONE_BEFORE_DOUBT = 8
_LOOK_EVERY_SECONDS = 1.0


class FailedRows(Exception):
    """Rows that the network fails on, by position, with the reason of each; `outputs` hold the scores of the others."""

    def __init__(self, reasons: Mapping[int, Exception], outputs: Arrays) -> None:
        super().__init__(f"{len(reasons)} rows failed")
        self.reasons = dict(sorted(reasons.items()))
        self.outputs = outputs


@dataclass
class _Call:
    """What one call knows: rows in, rows out, and how it went so far; mini-batches of one call may run at the same time.

    Attributes:
        slots: rows of its mini-batches.
        passed: whether any mini-batch went through.
        began: when the mini-batch that a thread is computing began, by thread.
        copying: time spent on getting rows to the device and outputs back.
    """

    rows: int
    slots: int
    inputs: Tensors = field(default_factory=dict)
    outputs: Tensors = field(default_factory=dict)
    reasons: dict[int, Exception] = field(default_factory=dict)
    passed: bool = False
    began: dict[int, float] = field(default_factory=dict)
    copying: Stopwatch = field(default_factory=Stopwatch)


@dataclass
class MiniBatches:
    """A network that is called on arrays of any number of rows.

    Attributes:
        network: called with one tensor (slots, *shape) per input; gives one per output.
        outputs: dtype and shape of each output.
        slots: rows of every mini-batch, where a call does not say otherwise.
        threads: mini-batches that a call computes at the same time on a CPU, each on one torch thread: a product that is spread over
            threads rounds differently, and scores must not depend on how many workers share the machine.
        timeout_seconds: longest time that one mini-batch may take.
        layout: memory format of inputs with four dimensions.
    """

    network: Network
    outputs: Mapping[str, Tensor]
    device: torch.device
    dtype: torch.dtype
    slots: int
    threads: int
    timeout_seconds: float
    layout: torch.memory_format = torch.contiguous_format

    def __post_init__(self) -> None:
        self.slots_that_fit: int | None = None  # known once memory ran out
        self._placing = Placing(self.device, self.dtype, self.layout)
        self._of_thread = threading.local()
        self._lock = threading.Lock()
        self._alone = 0  # single rows that failed since anything went through, in this call or in those before
        self._good_row: dict[str, torch.Tensor] | None = None
        self._lost: WorkerError | None = None  # why nothing more can be computed in this process
        self._at_once = self.threads if self.device.type == "cpu" else 1

    def __call__(self, inputs: Arrays, slots: int | None = None) -> Arrays:
        """Score rows.

        Args:
            inputs: one array (rows, *shape) per input.
            slots: rows of this call's mini-batches, instead of `self.slots`.

        Returns:
            One array (rows, *shape) per output, in its dtype.

        Raises:
            FailedRows: the network raised an error on some rows, and not on others.
            ModelError: its outputs have other names, rows, shapes or types than declared, or it fails on every row that is tried.
            WorkerError: the device failed, or a mini-batch took too long: nothing more can be computed in this process.
        """
        call = _Call(_row_count(inputs), self.slots if slots is None else slots)
        arrays = self._watched(call, lambda: self._score_all(call, inputs))
        self._copied += call.copying.nanoseconds // self._at_once
        if call.reasons:
            raise FailedRows(call.reasons, arrays)
        return arrays

    def take_copy_nanoseconds(self) -> int:
        """How long the calling thread's calls since the last question took to get rows to the device and outputs back."""
        taken, self._copied = self._copied, 0
        return taken

    @property
    def _copied(self) -> int:
        return getattr(self._of_thread, "copied", 0)

    @_copied.setter
    def _copied(self, nanoseconds: int) -> None:
        self._of_thread.copied = nanoseconds

    def _score_all(self, call: _Call, inputs: Arrays) -> Arrays:
        with self._placing.stream(), torch.inference_mode():
            with self._noted(call), call.copying:
                call.outputs = self._placing.room(self.outputs, call.rows)
                call.inputs = self._placing.given(inputs)
            mini_batches = [partial(self._score, call, start) for start in range(0, call.rows, call.slots)]
            if self._at_once > 1:
                self._pool().run(mini_batches)
            else:
                for score in mini_batches:
                    score()
            with self._noted(call):
                self._placing.wait()
                with call.copying:
                    arrays = self._placing.taken(call.outputs)
            self._keep_a_good_row(call)
            return arrays

    def _pool(self) -> DaemonThreads:
        """The calling thread's own, since workers that share a process have their shares of the cores each."""
        if not hasattr(self._of_thread, "pool"):
            self._of_thread.pool = DaemonThreads(self._at_once, "scorer")
        pool: DaemonThreads = self._of_thread.pool
        return pool

    def _score(self, call: _Call, start: int) -> None:
        """One mini-batch, in as many pieces as it takes."""
        pending = windows(start, min(start + call.slots, call.rows), start, self._fitting(call.slots))
        ran_out, fitting = False, 0
        while pending:
            piece = pending.pop()
            error = self._attempt(call, piece)  # here the error's tensors are free again, as they are not while it is being handled
            if error is None:
                call.passed, self._alone = True, 0
                fitting = max(fitting, piece.slots)
            elif is_out_of_memory(error) and piece.slots > 1:
                ran_out = True
                self._free_memory()
                pending += windows(piece.start, piece.stop, piece.first, -(-piece.slots // 2))
            elif piece.stop - piece.start > 1:
                pending += halves(piece)
            else:
                call.reasons[piece.start] = error
                self._doubt(call, error)
        if ran_out and fitting:
            self.slots_that_fit = self._fitting(fitting)

    def _attempt(self, call: _Call, piece: Piece) -> Exception | None:
        """Compute a piece; the error if that is a matter of rows or of memory."""
        if self._lost is not None:
            raise self._lost
        try:
            with self._noted(call):
                self._compute(call, piece)
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to rows, or the model fails on all of them
            return without_frames(error)
        return None

    @contextmanager
    def _noted(self, call: _Call) -> Iterator[None]:
        """Note when the thread began, for the watch over hanging code; a device that fails ends the process' work."""
        thread = threading.get_ident()
        call.began[thread] = time.monotonic()
        try:
            yield
        except Exception as error:
            if not is_device_fault(error):
                raise
            self._lost = WorkerError(
                f"the device failed under the model: {type(error).__name__}: {shown(error)}; the process cannot go on with it: run "
                "again to resume, with CUDA_LAUNCH_BLOCKING=1 to see which operation it was"
            )
            raise self._lost from error
        finally:
            del call.began[thread]

    def _compute(self, call: _Call, piece: Piece) -> None:
        self._use_one_torch_thread()
        before, after = piece.start - piece.first, piece.first + piece.slots - piece.stop
        with torch.inference_mode():
            with call.copying:
                inputs = {name: self._placing.slots(t, piece.start, piece.stop, before, after) for name, t in call.inputs.items()}
            given = self.network(**inputs)
            check_outputs(given, self.outputs, piece.slots)
            for name, values in call.outputs.items():
                values[piece.start : piece.stop] = given[name][before : before + piece.stop - piece.start]

    def _doubt(self, call: _Call, error: Exception) -> None:
        """Once some single rows failed and nothing went through: if rows from all over the call fail too, it is the model.

        A call of few rows cannot tell: it has the benefit of the doubt while a row that an earlier call scored still goes through.
        """
        with self._lock:
            self._alone += 1
            alone = self._alone
        if call.passed or alone < _ALONE_BEFORE_DOUBT:
            return
        others = np.setdiff1d(np.arange(call.rows), list(call.reasons))
        rows = others[np.unique(np.linspace(0, len(others) - 1, min(len(others), _ALONE_BEFORE_DOUBT), dtype=np.int64))].tolist()
        if any(self._attempt(call, self._alone_in_slot(call, row)) is None for row in rows):
            call.passed = True
        elif len(rows) == _ALONE_BEFORE_DOUBT or not self._scores_a_good_row(call):
            raise ModelError(
                f"the model failed on each of {alone + len(rows)} rows that were tried one by one, and on no row it did not: "
                f"{type(error).__name__}: {shown(error)}"
            )
        self._alone = 0

    def _scores_a_good_row(self, call: _Call) -> bool:
        if self._good_row is None:
            return False
        room = self._placing.room(self.outputs, 1)
        again = _Call(1, call.slots, self._good_row, room, began=call.began)
        return self._attempt(again, self._alone_in_slot(again, 0)) is None

    def _keep_a_good_row(self, call: _Call) -> None:
        row = next((row for row in range(call.rows) if row not in call.reasons), None)
        if row is not None:
            self._good_row = {name: tensor[row : row + 1].clone() for name, tensor in call.inputs.items()}

    def _alone_in_slot(self, call: _Call, row: int) -> Piece:
        slots = self._fitting(call.slots)
        return Piece(row, row + 1, row - row % slots, slots)

    def _fitting(self, slots: int) -> int:
        """So many rows, or fewer where memory ran out before."""
        return slots if self.slots_that_fit is None else min(slots, self.slots_that_fit)

    def _watched(self, call: _Call, work: Callable[[], Arrays]) -> Arrays:
        """Do the work on a thread that can be left behind, because code that hangs cannot be interrupted; each caller keeps its own."""
        if not hasattr(self._of_thread, "watched"):
            self._of_thread.watched = DaemonThreads(1, "scorer-watched")
        done: futures.Future[Arrays] = self._of_thread.watched.submit(work)
        while True:
            oldest = min(list(call.began.values()), default=time.monotonic())
            left = oldest + self.timeout_seconds - time.monotonic()
            if futures.wait([done], timeout=min(max(0.0, left), _LOOK_EVERY_SECONDS)).done:
                return done.result()
            if self._lost is not None:  # by another call; what this one has begun may hang for as long
                raise self._lost
            if left <= 0 and oldest in list(call.began.values()):
                raise self._timed_out(call.slots)

    def _timed_out(self, slots: int) -> WorkerError:
        """The end of all calls, since what hangs keeps its thread; this call's error blames its own rows, that of the others does not."""
        took = f"took longer than {self.timeout_seconds:g} s for one mini-batch of {slots} rows"
        mend = "so the run stops: run again to resume, or raise model.timeout_seconds"
        self._lost = WorkerError(f"in another batch, the model {took}, {mend}")
        return WorkerError(f"the model {took}, {mend}")

    def _free_memory(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _use_one_torch_thread(self) -> None:
        """Torch keeps this number per thread; within one mini-batch more threads would sum in another order."""
        if not getattr(self._of_thread, "is_set", False):
            torch.set_num_threads(1)
            self._of_thread.is_set = True


def _row_count(inputs: Arrays) -> int:
    counts = {len(array) for array in inputs.values()}
    if len(counts) != 1:
        raise ModelError(f"the model's inputs have {sorted(counts)} rows; they must have the same number")
    return counts.pop()
