"""Which errors are a matter of memory, which of the device, and that none of them keeps what it met."""

from collections.abc import Callable

import pytest
import torch

from model_zoo.engines.device_errors import drop_frames, is_device_fault, is_out_of_memory

OF_MEMORY: list[Exception] = [
    MemoryError(),
    torch.OutOfMemoryError("full"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
    RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
]
OF_THE_DEVICE: list[Exception] = [
    torch.AcceleratorError("lost"),
    RuntimeError("CUDA error: unspecified launch failure"),
    RuntimeError("device-side assert triggered"),
    RuntimeError("CUDNN_STATUS_EXECUTION_FAILED"),
]
OF_A_ROW: list[Exception] = [RuntimeError("index out of range"), ValueError(), KeyError("CUDA")]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [(OF_MEMORY, (True, False)), (OF_THE_DEVICE, (False, True)), (OF_A_ROW, (False, False))],
    ids=["of memory", "of the device", "of a row"],
)
def test_an_error_is_of_one_kind_or_of_none(
    errors: list[Exception], expected: tuple[bool, bool]
) -> None:
    for error in errors:
        assert (is_out_of_memory(error), is_device_fault(error)) == expected, repr(error)


def raise_first() -> None:
    raise KeyError("first")


def raise_from_another() -> None:
    try:
        raise_first()
    except KeyError as error:
        raise ValueError("second") from error


def raise_beside_another() -> None:
    try:
        raise_first()
    except KeyError:
        raise ValueError("second")  # noqa: B904 - as code does that forgot it


def raise_from_what_was_kept() -> None:
    kept: Exception | None = None
    try:
        raise_first()
    except KeyError as error:
        kept = error
    raise ValueError("second") from kept


@pytest.mark.parametrize(
    "fail", [raise_from_another, raise_beside_another, raise_from_what_was_kept]
)
def test_neither_an_error_nor_what_it_came_from_keeps_its_frames(fail: Callable[[], None]) -> None:
    with pytest.raises(ValueError, match="second") as caught:
        fail()
    error = caught.value
    first = error.__cause__ or error.__context__
    assert first is not None
    assert first.__traceback__ is not None
    assert drop_frames(error) is error
    assert (error.__traceback__, first.__traceback__) == (None, None)
