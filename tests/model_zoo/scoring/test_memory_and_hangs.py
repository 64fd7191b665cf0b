"""Devices that run out of memory or fail, and mini-batches that hang: what fits is remembered, and nobody waits for ever."""

from collections.abc import Callable
from concurrent import futures
from dataclasses import replace
import threading
from typing import Any
import weakref

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

from configs.errors import WorkerError
from tests.model_zoo.scoring.networks import (
    SECONDS,
    Network,
    mini_batches,
    rows_of,
)
from tests.support.builders import tiny_network


class Memory:
    """A network on a device where only `fits` rows fit at once, or only `giant` rows alone do not."""

    def __init__(
        self,
        fits: int,
        giant: int = -1,
        error: Callable[[], Exception] = lambda: torch.OutOfMemoryError("out of memory"),
    ):
        self.fits, self.giant, self.error = fits, giant, error
        self.slots: list[int] = []
        self.held: list[weakref.ref[torch.Tensor]] = []

    def __call__(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        assert all(held() is None for held in self.held), (
            "tensors of a failed mini-batch are still there"
        )
        self.slots.append(len(x))
        if len(x) > self.fits or self.giant in x[:, 0].int().tolist():
            activations = x * 2
            self.held.append(weakref.ref(activations))
            raise self.error()
        return {"logit": x[:, 0] * 2}


OUT_OF_MEMORY = [
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    lambda: MemoryError(),
    lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
    ),
    lambda: torch.AcceleratorError(
        "CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation' in the documentation"
    ),
    lambda: RuntimeError("CUDA driver error: out of memory"),
    lambda: RuntimeError(
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
    ),
    lambda: RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    lambda: RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_out_of_memory_halves_the_mini_batch_and_remembers_what_fitted(
    error: Callable[[], Exception],
) -> None:
    network = Memory(20, error=error)
    scorer = mini_batches(network)
    assert (
        scorer({"x": rows_of(200)}).outputs["logit"].tolist() == (rows_of(200)[:, 0] * 2).tolist()
    )
    assert scorer.rows_that_fit == 16
    assert network.slots[:3] == [64, 32, 16]
    assert [s for s in network.slots if s > 20] == [64, 32, 32]
    scorer({"x": rows_of(64)})
    assert network.slots[-4:] == [16, 16, 16, 16]


def test_a_row_that_does_not_fit_alone_is_rejected_and_its_neighbours_stay_large() -> None:
    network = Memory(64, giant=5)
    scorer = mini_batches(network)
    scored = scorer({"x": rows_of(64)})
    assert {row: type(e).__name__ for row, e in scored.rejected.items()} == {5: "OutOfMemoryError"}
    assert (
        np.delete(scored.outputs["logit"], 5).tolist()
        == np.delete(rows_of(64)[:, 0] * 2, 5).tolist()
    )
    assert scorer.rows_that_fit == 32


@settings(deadline=None, max_examples=25)
@given(
    rows=st.integers(1, 50),
    slots=st.integers(1, 20),
    fits=st.integers(1, 20),
    giant=st.integers(-1, 49),
)
def test_rows_keep_their_order_whatever_fits(rows: int, slots: int, fits: int, giant: int) -> None:
    scorer = mini_batches(Memory(fits, giant), slots)
    expected = rows_of(rows)[:, 0] * 2
    scored = scorer({"x": rows_of(rows)})
    logit, bad = scored.outputs["logit"], set(scored.rejected)
    assert bad == ({giant} if 0 <= giant < rows else set())
    good = np.setdiff1d(np.arange(rows), list(bad))
    np.testing.assert_array_equal(logit[good], expected[good])
    assert scorer.rows_that_fit is None or scorer.rows_that_fit < slots


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.AcceleratorError("CUDA error: device-side assert triggered"),
        lambda: RuntimeError("CUDA error: an illegal memory access was encountered"),
        lambda: RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        lambda: RuntimeError(
            "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"
        ),
    ],
)
def test_a_device_fault_is_not_tried_again_in_this_process(error: Callable[[], Exception]) -> None:
    network = Network({3}, error)
    scorer = mini_batches(network)
    for _ in range(2):
        with pytest.raises(
            WorkerError, match=r"the device failed under the model.*run again to resume"
        ):
            scorer({"x": rows_of(64)})
    assert len(network.slots) == 1
    assert WorkerError.status == 1


def test_workers_of_one_process_compute_on_their_own_threads_each() -> None:
    together, network = threading.Barrier(4, timeout=SECONDS), tiny_network()

    def meet(x: torch.Tensor) -> dict[str, torch.Tensor]:
        together.wait()
        return network(x=x)  # type: ignore[no-any-return]

    scorer = mini_batches(meet, slots=8, threads=2)
    with futures.ThreadPoolExecutor(2) as workers:
        both = list(
            workers.map(lambda _: scorer({"x": rows_of(16)}).outputs["logit"].tobytes(), range(2))
        )
    assert both[0] == both[1]


def test_workers_whose_model_is_in_a_server_have_their_threads_together() -> None:
    together, network = threading.Barrier(2, timeout=SECONDS), tiny_network()
    seen = set()

    def meet(x: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.add(threading.current_thread())
        together.wait()
        return network(x=x)  # type: ignore[no-any-return]

    shared = replace(mini_batches(meet, slots=8, threads=2), shares_threads=True)
    for _ in range(2):
        # One worker after the other.
        with futures.ThreadPoolExecutor(1) as worker:
            worker.submit(shared, {"x": rows_of(16)}).result()
    assert len(seen) == 2


@pytest.mark.parametrize("threads", [1, 2])
def test_a_mini_batch_that_hangs_is_left_behind(threads: int) -> None:
    release = threading.Event()

    def network(x: torch.Tensor) -> Any:
        if 100 in x[:, 0].int().tolist():
            release.wait(60)
        return {"logit": x[:, 0]}

    try:
        with pytest.raises(
            WorkerError,
            match=r"took longer than 0\.2 s for one mini-batch of 64 rows.*model\.timeout_seconds",
        ):
            mini_batches(network, threads=threads, timeout_seconds=0.2)({"x": rows_of(200)})
    finally:
        release.set()


def test_calls_after_one_that_hung_are_refused_and_do_not_wait_for_its_thread() -> None:
    release = threading.Event()

    def network(x: torch.Tensor) -> Any:
        if 0 in x[:, 0].int().tolist():
            release.wait(60)
        return {"logit": x[:, 0]}

    scorer = mini_batches(network, threads=2, timeout_seconds=0.2)
    try:
        for first in (0, 0, 1):
            row = rows_of(2)[first : first + 1]
            with (
                futures.ThreadPoolExecutor(1) as caller,
                pytest.raises(WorkerError, match=r"longer than 0\.2 s") as caught,
            ):
                caller.submit(scorer, {"x": row}).result(timeout=60)
        assert str(caught.value).startswith("in another batch, the model took")
    finally:
        release.set()


@pytest.mark.slow
def test_a_call_beside_one_that_hangs_is_refused_with_it() -> None:
    release, hang = threading.Event(), threading.Semaphore(0)

    def network(x: torch.Tensor) -> Any:
        hang.release()
        release.wait(60)
        return {"logit": x[:, 0]}

    scorer = mini_batches(network, slots=1, threads=2, timeout_seconds=2.0)
    try:
        with futures.ThreadPoolExecutor(2) as callers:
            hangs = callers.submit(scorer, {"x": rows_of(2)})
            assert all(hang.acquire(timeout=60) for _ in range(2))
            waits = callers.submit(scorer, {"x": rows_of(1)})
            # Whoever's time is over first blames itself, and the other one it.
            messages = sorted(str(call.exception(timeout=60)) for call in (hangs, waits))
        of_another, own = messages
        assert own.startswith("the model took longer than 2 s")
        assert of_another.startswith("in another batch, the model took longer than 2 s")
    finally:
        release.set()


def test_many_quick_mini_batches_may_take_longer_than_one_may() -> None:
    pause = threading.Event()

    def network(x: torch.Tensor) -> Any:
        pause.wait(0.02)
        return {"logit": x[:, 0]}

    assert (
        len(
            mini_batches(network, slots=1, timeout_seconds=0.3)({"x": rows_of(20)}).outputs["logit"]
        )
        == 20
    )


def test_where_not_even_one_row_fitted_nothing_is_known_of_what_does() -> None:
    scorer = mini_batches(Memory(0), slots=4)
    scored = scorer({"x": rows_of(3)})
    assert set(scored.rejected) == {0, 1, 2}
    assert scorer.rows_that_fit is None
    assert "want of memory" not in scored.computed_by


def test_what_fitted_is_told_and_never_grows() -> None:
    scorer = mini_batches(Memory(9), slots=16)
    assert "want of memory" not in scorer.computed_by
    for _ in range(2):
        scored = scorer({"x": rows_of(16)})
        assert scored.computed_by == ", mini-batches of at most 8 rows for want of memory"
    # One that is smaller anyway does not ask for less.
    scorer({"x": rows_of(16)}, 4)
    assert scorer.rows_that_fit == 8


@pytest.mark.parametrize(("device", "asked"), [("cpu", 0), ("cuda", 1)])
def test_memory_is_asked_back_of_cuda_alone(
    device: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))
    of_device = replace(mini_batches(tiny_network()), device=torch.device(device))
    of_device._free_memory()
    assert len(emptied) == asked


@pytest.mark.parametrize(("device", "at_once"), [("cpu", 3), ("cuda", 1)])
def test_a_gpu_computes_one_mini_batch_after_the_other(device: str, at_once: int) -> None:
    of_device = replace(mini_batches(tiny_network(), threads=3), device=torch.device(device))
    assert of_device._at_once == at_once


@pytest.mark.parametrize("threads", [1, 2])
def test_torch_computes_each_mini_batch_on_one_thread(threads: int) -> None:
    seen = set[int]()

    def network(x: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.add(torch.get_num_threads())
        return {"logit": x[:, 0]}

    torch.set_num_threads(2)
    scorer = mini_batches(network, slots=4, threads=threads)
    for _ in range(2):
        scorer({"x": rows_of(16)})
    assert seen == {1}
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("threads", "names"), [(1, {"scorer-watched-0"}), (2, {"scorer-0", "scorer-1"})]
)
def test_one_mini_batch_at_a_time_is_computed_where_its_call_has_its_stream(
    threads: int, names: set[str]
) -> None:
    together = threading.Barrier(threads, timeout=SECONDS)
    seen = set[str]()

    def network(x: torch.Tensor) -> dict[str, torch.Tensor]:
        together.wait()
        seen.add(threading.current_thread().name)
        return {"logit": x[:, 0]}

    mini_batches(network, slots=4, threads=threads)({"x": rows_of(8)})
    assert seen == names
