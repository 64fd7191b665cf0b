"""Rows through a network in mini-batches of one size, of which a failing one costs few rows.

    rows 0 ... 15 | 16 ... 31 | 32 ... 39, and row 32 eight times more     three mini-batches of 16

All of a call have the same shape, because a matrix product rounds differently for other shapes. One
that fails is halved until the rows that it fails on are alone, and padding takes the place of the
other half: a row keeps its place and its mini-batch the shape, and so its score keeps its bits. Only
when memory runs out does the shape shrink; the size that fitted is kept for the rows to come.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
import gc
import threading
from typing import Any

import torch

from configs.errors import ModelError, Refusal, crashes_as_errors
from model_zoo.arrays import Arrays
from model_zoo.engines.device_errors import drop_frames, is_out_of_memory
from model_zoo.package.card import Tensor
from model_zoo.scoring.call import Call
from model_zoo.scoring.daemon_threads import DaemonThreads
from model_zoo.scoring.device_transfer import DeviceTransfer
from model_zoo.scoring.doubt import Doubt
from model_zoo.scoring.output_checks import check_outputs
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.watchdog import Watchdog
from model_zoo.scoring.windows import Window, cut_windows, halve_window


class _OfAll:
    """What all threads have together."""

    threads: DaemonThreads


@dataclass
class MiniBatches:
    """A network that is called on arrays of any number of rows.

    Attributes:
        network: called with one tensor (batch_rows, *shape) per input; gives one per output.
        outputs: dtype and shape of each output.
        dtype: of floating-point inputs on the device; None for their own.
        kept_dtype: of inputs that keep it all the same.
        batch_rows: rows of every mini-batch, where a call does not say otherwise.
        threads: mini-batches that a call computes at the same time on a CPU, each on one torch
            thread: a product that is spread over threads rounds differently, and scores must not
            depend on how many workers share the machine.
        shares_threads: whether all calls have these threads together, each call behind the one before.
        timeout_seconds: longest time that one mini-batch may take.
        layout: memory format of inputs with four dimensions.
        computed_by: device, settings, threads and versions, for the manifest.
        is_out_of_memory: whether an error of the network means that fewer rows may fit.
    """

    network: Callable[..., Any]
    outputs: Mapping[str, Tensor]
    device: torch.device
    dtype: torch.dtype | None
    batch_rows: int
    threads: int
    timeout_seconds: float
    layout: torch.memory_format = torch.contiguous_format
    computed_by: str = ""
    kept_dtype: torch.dtype | None = None
    is_out_of_memory: Callable[[Exception], bool] = is_out_of_memory
    shares_threads: bool = False

    def __post_init__(self) -> None:
        self.rows_that_fit: int | None = None  # known once memory ran out
        self._transfer = DeviceTransfer(
            self.device,
            self.dtype,
            self.layout,
            self.kept_dtype,
        )
        self._watchdog = Watchdog(self.timeout_seconds)
        self._doubt = Doubt()
        self._of_thread = threading.local()
        self._of_all = _OfAll()
        self._starting = threading.Lock()
        # A CUDA device computes one mini-batch after the other, however many threads ask.
        is_cpu = self.device.type == "cpu"
        self._at_once = self.threads if is_cpu else 1

    def __call__(self, inputs: Arrays, batch_rows: int | None = None) -> Scored:
        """Score rows.

        Args:
            inputs: one array (rows, *shape) per input.
            batch_rows: rows of this call's mini-batches, instead of `self.batch_rows`.

        Returns:
            One array (rows, *shape) per output, in its dtype, and the rows that the network raised
            an error on.

        Raises:
            ModelError: its outputs have other names, rows, shapes or types than declared, or it
                fails on every row that is tried.
            WorkerError: the device failed, or a mini-batch took too long: nothing more can be
                computed in this process.
        """
        rows = _check_row_count(inputs)
        call = Call(rows, batch_rows or self.batch_rows)
        work = partial(self._score_rows, call, inputs)
        outputs = self._watchdog.wait_for(call, work)
        # Threads, and halves of mini-batches, find rejected rows in an order of their own.
        rejected = sorted(call.rejected.items())
        return Scored(
            outputs=outputs,
            rejected=dict(rejected),
            computed_by=self._describe(),
            # The stopwatch adds up the threads, which copy at the same time.
            copy_nanoseconds=call.copying.nanoseconds // self._at_once,
        )

    def _describe(self) -> str:
        """Return what computes; that mini-batches shrank is told, as it may change last bits."""
        if self.rows_that_fit is None:
            return self.computed_by
        return (
            f"{self.computed_by}, mini-batches of at most {self.rows_that_fit} rows "
            "for want of memory"
        )

    def _score_rows(self, call: Call, inputs: Arrays) -> Arrays:
        with self._transfer.use_own_stream(), torch.inference_mode():
            with self._watchdog.watch(call), call.copying:
                call.outputs = self._transfer.allocate_outputs(self.outputs, call.rows)
                call.inputs = self._transfer.transfer_inputs(inputs)

            self._score_mini_batches(call)

            with self._watchdog.watch(call):
                # Waited for outside of the copying: until here the device may still compute.
                self._transfer.synchronise()
                with call.copying:
                    outputs = self._transfer.fetch_outputs(call.outputs)
            self._doubt.remember_row(call)
            return outputs

    def _score_mini_batches(self, call: Call) -> None:
        starts = range(0, call.rows, call.batch_rows)
        if self._at_once == 1:
            for start in starts:
                self._score_mini_batch(call, start)
            return
        calls = [partial(self._score_mini_batch, call, start) for start in starts]
        threads = self._find_threads()
        threads.run(calls)

    def _find_threads(self) -> DaemonThreads:
        """Return the calling thread's threads: workers of one process have a share of the cores each.

        Those that wait for a server have none. Mini-batches of two calls that took turns there would
        end together, and then both calls would read and write at the same time, and nobody ask it.
        """
        holder = self._of_all if self.shares_threads else self._of_thread
        with self._starting:
            if not hasattr(holder, "threads"):
                holder.threads = DaemonThreads(self._at_once, "scorer")
        threads: DaemonThreads = holder.threads
        return threads

    def _score_mini_batch(self, call: Call, start: int) -> None:
        """Score the rows of one mini-batch, in as many windows as it takes."""
        end = start + call.batch_rows
        stop = min(end, call.rows)
        batch_rows = self._fit(call.batch_rows)
        pending = cut_windows(start, stop, start, batch_rows)
        ran_out = False
        largest = 0
        while pending:
            window = pending.pop()
            # Returned and not raised: while an error is being handled its tensors are not free.
            error = self._attempt(call, window)
            if error is None:
                call.passed = True
                self._doubt.clear()
                largest = max(largest, window.batch_rows)
            elif self.is_out_of_memory(error) and window.batch_rows > 1:
                ran_out = True
                self._free_memory()
                pending += _shrink(window)
            elif window.rows > 1:
                pending += halve_window(window)
            else:
                self._reject(call, window.start, error)
        # Nothing fitted where every row was rejected, and then nothing is known about the size.
        if ran_out and largest:
            self.rows_that_fit = self._fit(largest)
        call.tell(stop - start)

    def _reject(
        self,
        call: Call,
        row: int,
        error: Exception,
    ) -> None:
        call.rejected[row] = error
        self._doubt.settle(
            call,
            error,
            passes=partial(self._passes, call),
            known_row_passes=partial(self._known_row_passes, call),
        )

    def _attempt(self, call: Call, window: Window) -> Exception | None:
        """Compute a window, and return the error if that is a matter of rows or of memory."""
        self._watchdog.refuse_lost()
        try:
            with self._watchdog.watch(call):
                self._compute(call, window)
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to rows, or the model fails on all
            return drop_frames(error)
        return None

    def _compute(self, call: Call, window: Window) -> None:
        self._use_one_torch_thread()
        # Again: the mode is a thread's own, and a mini-batch may have another thread than its call.
        with torch.inference_mode():
            inputs = {}
            with call.copying:
                for name, tensor in call.inputs.items():
                    inputs[name] = self._transfer.cut_mini_batch(tensor, window)

            with crashes_as_errors():
                outputs = self.network(**inputs)
            check_outputs(outputs, self.outputs, window.batch_rows)

            # Without the padding, which is no row of the call.
            first = window.padding_before
            stop = first + window.rows
            for name, values in call.outputs.items():
                computed = outputs[name]
                values[window.start : window.stop] = computed[first:stop]

    def _passes(self, call: Call, row: int) -> bool:
        """Tell whether the network takes a row, alone in the place that it has anyway."""
        batch_rows = self._fit(call.batch_rows)
        window = Window(
            start=row,
            stop=row + 1,
            first=row - row % batch_rows,
            batch_rows=batch_rows,
        )
        error = self._attempt(call, window)
        return error is None

    def _known_row_passes(self, call: Call) -> bool:
        """Tell whether the network still takes a row that an earlier call scored."""
        if self._doubt.known_row is None:
            return False
        outputs = self._transfer.allocate_outputs(self.outputs, rows=1)
        again = Call(
            rows=1,
            batch_rows=call.batch_rows,
            inputs=self._doubt.known_row,
            outputs=outputs,
            # The call's own times: the watch over it must see that this row hangs.
            began=call.began,
        )
        return self._passes(again, 0)

    def _fit(self, batch_rows: int) -> int:
        """Return so many rows, or fewer where memory ran out before."""
        if self.rows_that_fit is None:
            return batch_rows
        return min(batch_rows, self.rows_that_fit)

    def _free_memory(self) -> None:
        # The failed mini-batch may stand in reference cycles; torch keeps freed CUDA memory itself.
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _use_one_torch_thread(self) -> None:
        """Tell torch to compute on the calling thread alone: more would sum in another order."""
        # torch keeps this number per thread, and setting it takes longer than asking ourselves.
        if not getattr(self._of_thread, "is_alone", False):
            torch.set_num_threads(1)
            self._of_thread.is_alone = True


def _shrink(window: Window) -> list[Window]:
    """Return windows of half the size for the same rows."""
    half = -(-window.batch_rows // 2)
    return cut_windows(
        start=window.start,
        stop=window.stop,
        first=window.first,
        batch_rows=half,
    )


def _check_row_count(inputs: Arrays) -> int:
    """Return the number of rows, which all inputs must have."""
    arrays = inputs.values()
    counts = {len(array) for array in arrays}
    if len(counts) != 1:
        raise ModelError(
            f"the model's inputs have {sorted(counts)} rows; they must have the same number"
        )
    return counts.pop()
