"""Rows through a network in mini-batches of one fixed size, of which a failing one costs no more than the rows that fail.

    rows 0 ... 15 | 16 ... 31 | 32 ... 39, and row 32 eight times more       three mini-batches of 16 slots

Every mini-batch has the same shape, because a matrix product rounds differently for other shapes. One that fails is halved until a bad
row is alone, and the slots of the other half are filled up again: a good row keeps its slot and its shape, and so its bits. Only
when memory runs out does the shape shrink; the size that fitted is kept for the rows to come.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
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
from model_zoo.daemon_threads import DaemonThreads
from model_zoo.device_errors import is_device_fault, is_out_of_memory, without_frames
from model_zoo.package import Tensor

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


@dataclass(frozen=True)
class _Piece:
    """Rows `start` to `stop` of a call, computed in a mini-batch of `slots` rows whose first slot is that of row `first`."""

    start: int
    stop: int
    first: int
    slots: int


@dataclass
class _Call:
    """What one call knows: rows in, rows out, and how it went so far; mini-batches of one call may run at the same time.

    Attributes:
        passed: whether any mini-batch went through.
        began: when the mini-batch that a thread is computing began, by thread.
    """

    rows: int
    inputs: dict[str, torch.Tensor]
    outputs: dict[str, torch.Tensor]
    reasons: dict[int, Exception] = field(default_factory=dict)
    passed: bool = False
    began: dict[int, float] = field(default_factory=dict)


@dataclass
class MiniBatches:
    """A network that is called on arrays of any number of rows.

    Attributes:
        network: called with one tensor (slots, *shape) per input; gives one per output.
        outputs: dtype and shape of each output.
        slots: rows of every mini-batch.
        threads: mini-batches that a call computes at the same time on a CPU, each on one torch thread: a product that is spread over
            threads rounds differently, and scores must not depend on how many workers share the machine.
        timeout_seconds: longest time that one mini-batch may take.
    """

    network: Network
    outputs: Mapping[str, Tensor]
    device: torch.device
    dtype: torch.dtype
    slots: int
    threads: int
    timeout_seconds: float

    def __post_init__(self) -> None:
        self.slots_that_fit = self.slots
        self._of_thread = threading.local()
        self._lock = threading.Lock()
        self._alone = 0  # single rows that failed since anything went through, in this call or in those before
        self._good_row: dict[str, torch.Tensor] | None = None
        self._lost: WorkerError | None = None  # why nothing more can be computed in this process
        in_parallel = self.threads > 1 and self.device.type == "cpu"
        self._pool = DaemonThreads(self.threads, "scorer") if in_parallel else None

    def __call__(self, inputs: Arrays) -> Arrays:
        """Score rows.

        Args:
            inputs: one array (rows, *shape) per input.

        Returns:
            One array (rows, *shape) per output, in its dtype.

        Raises:
            FailedRows: the network raised an error on some rows, and not on others.
            ModelError: its outputs have other names, rows, shapes or types than declared, or it fails on every row that is tried.
            WorkerError: the device failed, or a mini-batch took too long: nothing more can be computed in this process.
        """
        rows = _row_count(inputs)
        with torch.inference_mode():
            call = _Call(rows, {name: _tensor(array) for name, array in inputs.items()}, self._empty(rows))
        self._watched(call, lambda: self._score_all(call))
        self._keep_a_good_row(call)
        arrays = {name: values.numpy() for name, values in call.outputs.items()}
        if call.reasons:
            raise FailedRows(call.reasons, arrays)
        return arrays

    def _empty(self, rows: int) -> dict[str, torch.Tensor]:
        return {name: torch.empty((rows, *t.shape), dtype=getattr(torch, t.dtype)) for name, t in self.outputs.items()}

    def _score_all(self, call: _Call) -> None:
        mini_batches = [partial(self._score, call, start) for start in range(0, call.rows, self.slots)]
        if self._pool is not None:
            self._pool.run(mini_batches)
            return
        for score in mini_batches:
            score()

    def _score(self, call: _Call, start: int) -> None:
        """One mini-batch, in as many pieces as it takes."""
        pending = _windows(start, min(start + self.slots, call.rows), start, self.slots_that_fit)
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
                pending += _windows(piece.start, piece.stop, piece.first, -(-piece.slots // 2))
            elif piece.stop - piece.start > 1:
                pending += _halves(piece)
            else:
                call.reasons[piece.start] = error
                self._doubt(call, error)
        if ran_out and fitting:
            self.slots_that_fit = min(self.slots_that_fit, fitting)

    def _attempt(self, call: _Call, piece: _Piece) -> Exception | None:
        """Compute a piece; the error if that is a matter of rows or of memory."""
        if self._lost is not None:
            raise self._lost
        thread = threading.get_ident()
        call.began[thread] = time.monotonic()
        try:
            self._compute(call, piece)
        except Refusal:
            raise
        except Exception as error:
            if is_device_fault(error):
                self._lost = WorkerError(
                    f"the device failed under the model: {type(error).__name__}: {shown(error)}; the process cannot go on with it: run "
                    "again to resume, with CUDA_LAUNCH_BLOCKING=1 to see which operation it was"
                )
                raise self._lost from error
            return without_frames(error)
        finally:
            del call.began[thread]
        return None

    def _compute(self, call: _Call, piece: _Piece) -> None:
        self._use_one_torch_thread()
        with torch.inference_mode():
            given = self.network(**{name: self._filled(tensor, piece) for name, tensor in call.inputs.items()})
            self._check(given, piece.slots)
            for name, values in call.outputs.items():
                values[piece.start : piece.stop] = given[name][piece.start - piece.first : piece.stop - piece.first]

    def _filled(self, tensor: torch.Tensor, piece: _Piece) -> torch.Tensor:
        """The piece's rows on the device, in their slots; the slots of other rows hold the piece's first row, which is a valid one."""
        dtype = self.dtype if tensor.is_floating_point() else None
        rows = tensor[piece.start : piece.stop].to(self.device, dtype)
        before, after = piece.start - piece.first, piece.first + piece.slots - piece.stop
        if not before and not after:
            return rows
        return torch.cat([rows[:1].expand(before, *rows.shape[1:]), rows, rows[:1].expand(after, *rows.shape[1:])])

    def _check(self, given: Any, slots: int) -> None:
        if not isinstance(given, dict) or given.keys() != self.outputs.keys():
            names = sorted(map(str, given)) if isinstance(given, dict) else type(given).__name__
            raise ModelError(f"the model gave {names}, but its package declares the outputs {sorted(self.outputs)}")
        for name, tensor in given.items():
            if not isinstance(tensor, torch.Tensor):
                raise ModelError(f"the model's output {name} is a {type(tensor).__name__} instead of a tensor")
            expected = (slots, *self.outputs[name].shape)
            if tuple(tensor.shape) != expected:
                raise ModelError(f"the model's output {name} has shape {tuple(tensor.shape)} instead of {expected}")
            if not _becomes(tensor.dtype, getattr(torch, self.outputs[name].dtype)):
                raise ModelError(f"the model's output {name} is {tensor.dtype}, which does not become {self.outputs[name].dtype}")

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
        if any(self._attempt(call, self._alone_in_slot(row)) is None for row in rows):
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
        again = _Call(1, self._good_row, self._empty(1), began=call.began)
        return self._attempt(again, self._alone_in_slot(0)) is None

    def _keep_a_good_row(self, call: _Call) -> None:
        row = next((row for row in range(call.rows) if row not in call.reasons), None)
        if row is not None:
            self._good_row = {name: tensor[row : row + 1].clone() for name, tensor in call.inputs.items()}

    def _alone_in_slot(self, row: int) -> _Piece:
        return _Piece(row, row + 1, row - row % self.slots_that_fit, self.slots_that_fit)

    def _watched(self, call: _Call, work: Callable[[], None]) -> None:
        """Do the work on a thread that can be left behind, because code that hangs cannot be interrupted; each caller keeps its own."""
        if not hasattr(self._of_thread, "watched"):
            self._of_thread.watched = DaemonThreads(1, "scorer-watched")
        done: futures.Future[None] = self._of_thread.watched.submit(work)
        while True:
            oldest = min(list(call.began.values()), default=time.monotonic())
            left = oldest + self.timeout_seconds - time.monotonic()
            if futures.wait([done], timeout=min(max(0.0, left), _LOOK_EVERY_SECONDS)).done:
                return done.result()
            if self._lost is not None:  # mini-batches of other calls that hang may hold all threads that this one waits for
                raise self._lost
            if left <= 0 and oldest in list(call.began.values()):
                raise self._timed_out()

    def _timed_out(self) -> WorkerError:
        """The end of all calls, since what hangs keeps its thread; this call's error blames its own rows, that of the others does not."""
        took = f"took longer than {self.timeout_seconds:g} s for one mini-batch of {self.slots} rows"
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


def _windows(start: int, stop: int, first: int, slots: int) -> list[_Piece]:
    """Rows `start` to `stop` in mini-batches of `slots` rows that are laid end to end from row `first`; the first one last."""
    windows = (_Piece(max(start, at), min(stop, at + slots), at, slots) for at in range(first, stop, slots))
    return [w for w in windows if w.start < w.stop][::-1]


def _halves(piece: _Piece) -> Iterator[_Piece]:
    """Both halves, the second first, each row in the slot where it was."""
    middle = (piece.start + piece.stop) // 2
    yield _Piece(middle, piece.stop, piece.first, piece.slots)
    yield _Piece(piece.start, middle, piece.first, piece.slots)


def _tensor(array: np.ndarray) -> torch.Tensor:
    """The array as a tensor that shares its memory where it can."""
    usable = array.flags.writeable and min(array.strides, default=0) >= 0
    return torch.from_numpy(array if usable else array.copy())


def _becomes(given: torch.dtype, declared: torch.dtype) -> bool:
    """Whether an output may be stored as declared: floating point may be rounded, but an integer that does not fit would wrap around."""
    if given.is_floating_point or given.is_complex or declared.is_floating_point:
        return torch.can_cast(given, declared)
    return np.can_cast(str(given).removeprefix("torch."), str(declared).removeprefix("torch."), "safe")


def _row_count(inputs: Arrays) -> int:
    counts = {len(array) for array in inputs.values()}
    if len(counts) != 1:
        raise ModelError(f"the model's inputs have {sorted(counts)} rows; they must have the same number")
    return counts.pop()
