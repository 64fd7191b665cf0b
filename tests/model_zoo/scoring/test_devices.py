"""Which devices a job means on a machine with several; a CUDA driver cannot be had here, so its answers are given."""

import pytest
import torch

from configs.errors import ModelError
from model_zoo.scoring import devices
from model_zoo.scoring.devices import resolve_devices, threads_for


@pytest.mark.parametrize(
    ("count", "device", "expected"),
    [
        (0, "cpu", ["cpu"]),
        (0, "auto", ["cpu"]),
        (2, "cpu", ["cpu"]),
        (2, "auto", ["cuda:0", "cuda:1"]),
        (2, "cuda", ["cuda:0", "cuda:1"]),
        (1, "cuda", ["cuda:0"]),
        (2, "cuda:0", ["cuda:0"]),
        (2, "cuda:1", ["cuda:1"]),
    ],
)
def test_the_devices_that_are_there_are_found(
    count: int, device: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    have(count, monkeypatch)
    assert resolve_devices(device) == [torch.device(name) for name in expected]


def have(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("count", "device", "message"),
    [
        (2, "cuda:2", "there are 2 CUDA devices here, cuda:0 to cuda:1"),
        (2, "cuda:7", "there are 2 CUDA devices here, cuda:0 to cuda:1"),
        (0, "cuda:0", "torch finds no CUDA device here"),
        (0, "cuda", "torch finds no CUDA device here"),
    ],
)
def test_a_device_that_is_not_there_is_refused(
    count: int, device: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(count, monkeypatch)
    with pytest.raises(ModelError, match=f"^model.device is {device}, but {message}"):
        resolve_devices(device)


@pytest.mark.parametrize(
    ("cores", "workers", "threads"),
    [(8, 0, 8), (8, 1, 8), (8, 3, 2), (8, 8, 1), (8, 9, 1), (1, 2, 1)],
)
def test_workers_share_the_cores_and_have_one_thread_at_least(
    cores: int, workers: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "cores", lambda: cores)
    assert threads_for(workers) == threads
