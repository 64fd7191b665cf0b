"""Rows to the device and back. CUDA itself is not had here; what does not need it is tried on the CPU.

Streams and pinned memory are had with it alone: plain objects and plain memory stand in for them.
"""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.package.card import Tensor
from model_zoo.scoring.device_transfer import DeviceTransfer
from model_zoo.scoring.devices import resolve_devices
from model_zoo.scoring.replicas import Replicas
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.windows import Window

CPU = torch.device("cpu")


def test_arrays_share_their_memory_with_tensors_on_a_cpu() -> None:
    x = np.ones((4, 3), np.float32)
    tensor = DeviceTransfer(CPU, torch.float32).transfer_inputs({"x": x})["x"]
    x[2, 1] = 7
    assert tensor[2, 1] == 7
    backwards = DeviceTransfer(CPU, torch.float32).transfer_inputs({"x": x[::-1]})["x"]
    np.testing.assert_array_equal(backwards.numpy(), x[::-1])


def test_slots_are_filled_with_the_first_row_in_the_wanted_dtype_and_layout() -> None:
    placing = DeviceTransfer(CPU, torch.bfloat16, torch.channels_last)
    images = torch.arange(2 * 3 * 2 * 2, dtype=torch.float32).reshape(2, 3, 2, 2)
    filled = placing.cut_mini_batch(images, Window(1, 2, -1, 4))
    assert (filled.shape, filled.dtype) == ((4, 3, 2, 2), torch.bfloat16)
    assert filled.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(row, images[1].to(torch.bfloat16)) for row in filled)
    numbers = placing.cut_mini_batch(torch.arange(6).reshape(3, 2), Window(0, 3, 0, 3))
    assert numbers.dtype == torch.int64


def test_inputs_of_the_kept_dtype_keep_it() -> None:
    placing = DeviceTransfer(CPU, torch.float32, kept_dtype=torch.float16)
    window = Window(0, 3, 0, 3)
    found = []
    for dtype in (torch.float16, torch.float64, torch.bfloat16):
        rows = torch.ones(3, 2, dtype=dtype)
        found.append(placing.cut_mini_batch(rows, window).dtype)
    assert found == [torch.float16, torch.float32, torch.float32]


def test_room_and_what_is_taken_have_the_declared_types() -> None:
    placing = DeviceTransfer(CPU, torch.bfloat16)
    room = placing.allocate_outputs(
        {"y": Tensor(shape=(2,)), "n": Tensor(dtype="int64", shape=())}, 5
    )
    assert {
        name: (array.dtype, array.shape) for name, array in placing.fetch_outputs(room).items()
    } == {
        "y": (np.float32, (5, 2)),
        "n": (np.int64, (5,)),
    }


class On:
    """A scorer on one of several devices, that takes as long as somebody else holds `busy`."""

    def __init__(self, name: str) -> None:
        self.name, self.busy = name, threading.Lock()

    def __call__(self, inputs: dict[str, np.ndarray]) -> Scored:
        with self.busy:
            return Scored(inputs, computed_by=self.name)


X = {"x": np.ones(2)}


def test_threads_that_score_at_the_same_time_have_a_device_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 0)
    scorers = [On("cuda:0"), On("cuda:1"), On("cuda:2")]
    replicas, seen = Replicas(scorers), []

    def work() -> None:
        scored = replicas(X)
        assert scored.outputs is X
        seen.append(scored.computed_by)

    for scorer in scorers:
        scorer.busy.acquire()
    threads = [threading.Thread(target=work) for _ in scorers]
    for thread in threads:
        thread.start()
    while sum(replicas._computing) < len(scorers):
        time.sleep(0.001)
    for scorer in scorers:
        scorer.busy.release()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["cuda:0", "cuda:1", "cuda:2"]


def test_a_thread_stays_on_its_device_until_another_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 5)
    scorers = [On("cuda:0"), On("cuda:1")]
    replicas = Replicas(scorers)
    for _ in range(3):
        assert replicas(X).computed_by == "cuda:1"  # other processes begin elsewhere
    scorers[1].busy.acquire()
    other = threading.Thread(target=replicas, args=(X,))
    other.start()
    while not any(replicas._computing):
        time.sleep(0.001)
    assert replicas(X).computed_by == "cuda:0"
    scorers[1].busy.release()
    other.join()


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_cuda_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(
        ModelError, match=f"model.device is {device}, but torch finds no CUDA device here"
    ):
        resolve_devices(device)


CUDA = torch.device("cuda", 0)


def test_each_thread_has_a_stream_of_its_own_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: [device])
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: stream)
    transfer, found = DeviceTransfer(CUDA, torch.float32), list[object]()

    def use_twice() -> None:
        found.extend(transfer.use_own_stream() for _ in range(2))

    use_twice()
    other = threading.Thread(target=use_twice)
    other.start()
    other.join()
    first, again, of_other, of_other_again = found
    assert first == [CUDA]
    assert first is again
    assert of_other is of_other_again
    assert first is not of_other


def test_a_cpu_has_no_streams() -> None:
    with DeviceTransfer(CPU, torch.float32).use_own_stream() as nothing:
        assert nothing is None


def test_rows_that_do_not_fit_on_the_device_stay_on_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors: list[Exception] = [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
    ]

    def fail(self: DeviceTransfer, tensors: dict[str, torch.Tensor]) -> None:
        raise errors.pop(0)

    monkeypatch.setattr(DeviceTransfer, "_copy_over", fail)
    transfer, x = DeviceTransfer(CUDA, torch.float32), np.ones((4, 3), np.float32)
    kept = transfer.transfer_inputs({"x": x})["x"]
    assert kept.device == CPU
    np.testing.assert_array_equal(kept.numpy(), x)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        transfer.transfer_inputs({"x": x})


def test_pinned_memory_is_kept_and_made_anew_only_where_it_is_too_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[int, torch.dtype, bool]] = []
    empty = torch.empty

    def make(numbers: int, dtype: torch.dtype, pin_memory: bool) -> torch.Tensor:
        made.append((numbers, dtype, pin_memory))
        return empty(numbers, dtype=dtype)

    monkeypatch.setattr(torch, "empty", make)
    transfer = DeviceTransfer(CUDA, torch.float32)
    for rows in (4, 4, 2, 5, 3):
        tensor = torch.arange(3.0 * rows).reshape(rows, 3)
        pinned = transfer._pin("x", tensor)
        assert torch.equal(pinned, tensor)
        assert pinned.data_ptr() != tensor.data_ptr()
    transfer._pin("n", torch.arange(7))
    assert made == [
        (12, torch.float32, True),
        (15, torch.float32, True),
        (7, torch.int64, True),
    ]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_strange_arrays_are_taken_without_a_word(count: int) -> None:
    """torch warns of memory that it may not write, and refuses strides that go backwards."""
    transfer = DeviceTransfer(CPU, torch.float32)
    numbers = np.arange(count, dtype=np.float32)
    locked = numbers.copy()
    locked.flags.writeable = False
    for array in (locked, numbers[::-1], np.broadcast_to(np.float32(3), (count, 2))):
        taken = transfer.transfer_inputs({"x": array})["x"]
        np.testing.assert_array_equal(taken.numpy(), array)
        assert not np.shares_memory(taken.numpy(), locked)
    # Strides of zero are none that go backwards.
    still = np.lib.stride_tricks.as_strided(numbers.copy(), (count, 2), (4, 0))
    shared = transfer.transfer_inputs({"x": still})["x"].numpy()
    assert count == 0 or np.shares_memory(shared, still)
    scalar = np.array(2.0, np.float32)
    assert np.shares_memory(transfer.transfer_inputs({"x": scalar})["x"].numpy(), scalar)


def test_nobody_waits_for_a_stream_but_that_of_a_cuda_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[torch.device] = []

    class Stream:
        """Stands in for one of CUDA."""

        def __init__(self, device: torch.device) -> None:
            self.device = device

        def synchronize(self) -> None:
            waited.append(self.device)

    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    for name in ("cpu", "cuda:1"):
        DeviceTransfer.synchronise(SimpleNamespace(device=torch.device(name)))  # type: ignore[arg-type]
    assert waited == [torch.device("cuda:1")]
