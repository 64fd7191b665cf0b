"""What is tried again, how often and how slowly, with a file system that really fails."""

from collections.abc import Callable, Iterator
import errno
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem
import pyarrow as pa
import pytest

from storage import files, inputs, retries
from tests.support.listing import list_inputs


class FlakyFileSystem(MemoryFileSystem):
    """Files in memory, whose every operation first raises what stands in `failures`."""

    protocol = "flaky"
    failures: list[Exception] = []  # noqa: RUF012 - shared by all instances, as the files are
    calls = 0
    opened: list[dict[str, Any]] = []  # noqa: RUF012 - as above

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return MemoryFileSystem._strip_protocol(path.removeprefix("flaky://"))

    def _fail(self) -> None:
        type(self).calls += 1
        if self.failures:
            raise self.failures.pop(0)

    def cat_file(self, path: str, *positional: Any, **named: Any) -> bytes:
        self._fail()
        return super().cat_file(path, *positional, **named)

    def info(self, path: str, **named: Any) -> dict[str, Any]:
        self._fail()
        return super().info(path, **named)

    def _open(self, path: str, *positional: Any, **named: Any) -> Any:
        self._fail()
        self.opened.append(named)
        return super()._open(path, *positional, **named)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(retries, "pause", waited.append)
    return waited


@pytest.fixture
def flaky() -> Iterator[type[FlakyFileSystem]]:
    fsspec.register_implementation("flaky", FlakyFileSystem, clobber=True)
    fsspec.filesystem("flaky").pipe_file("/a", b"content")
    FlakyFileSystem.calls = 0
    yield FlakyFileSystem
    FlakyFileSystem.failures.clear()
    fsspec.filesystem("flaky").rm("/a")


READS: dict[str, Callable[[], Any]] = {
    "read": lambda: files.read("flaky:///a"),
    "open_read": lambda: files.open_read("flaky:///a").read(),
    "read_version": lambda: inputs.read_version("flaky:///a"),
    "compute_sha256": lambda: files.compute_sha256("flaky:///a"),
    "list_inputs": lambda: list_inputs("flaky:///a")[0][0].bytes,
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("times", [1, 3])
def test_a_transient_error_is_tried_again_with_growing_waits(
    read: str, times: int, flaky: type[FlakyFileSystem], waits: list[float]
) -> None:
    expected = READS[read]()
    once, flaky.calls = flaky.calls, 0
    flaky.failures += [
        OSError(errno.EIO, "Input/output error"),
        ConnectionResetError(),
        TimeoutError(),
    ][:times]
    assert READS[read]() == expected
    assert flaky.calls == once + times
    assert len(waits) == times
    assert all(0.1 * 2**n <= wait <= 0.1 * 2**n + 0.1 for n, wait in enumerate(waits))


@pytest.mark.parametrize("read", READS)
def test_the_fourth_transient_error_counts(
    read: str, flaky: type[FlakyFileSystem], waits: list[float]
) -> None:
    flaky.failures += [OSError(errno.EIO, "Input/output error")] * 4
    with pytest.raises(OSError, match="Input/output error"):
        READS[read]()
    assert flaky.failures == []
    assert (flaky.calls, len(waits)) == (4, 3)
    assert sum(waits) < 5


def test_a_store_is_asked_for_more_than_is_read_unless_somebody_says_no(
    flaky: type[FlakyFileSystem],
) -> None:
    flaky.opened.clear()
    for flags in ({}, {"ahead": True}, {"ahead": False}):
        files.open_read("flaky:///a", **flags)
    assert [named.get("cache_type") for named in flaky.opened] == [None, None, "none"]


PERMANENT = [
    TypeError("a"),
    KeyError("a"),
    PermissionError(errno.EACCES, "no"),
    OSError("corrupt"),
    OSError(errno.ENOSPC, "full"),
]


@pytest.mark.parametrize("error", PERMANENT, ids=lambda e: type(e).__name__)
def test_programming_errors_and_permanent_ones_are_raised_at_once(
    error: Exception, flaky: type[FlakyFileSystem], waits: list[float]
) -> None:
    flaky.failures.append(error)
    with pytest.raises(type(error)):
        files.read("flaky:///a")
    assert (flaky.calls, waits) == (1, [])


def test_a_real_read_error_of_the_operating_system_is_transient() -> None:
    """The first page of a process's memory: there is nothing, so reading it is an I/O error, in Python as in Arrow."""
    for open_file in (
        partial(Path("/proc/self/mem").open, "rb"),
        partial(pa.OSFile, "/proc/self/mem"),
    ):
        with open_file() as memory, pytest.raises(OSError) as caught:
            memory.read(1)
        assert caught.value.errno == errno.EIO
        assert retries.is_transient(caught.value)


def test_what_the_client_of_a_store_has_tried_again_is_final() -> None:
    from aiohttp import ServerDisconnectedError
    from botocore.exceptions import EndpointConnectionError

    for cause in (
        ServerDisconnectedError(),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ):
        error = OSError(errno.EBUSY, "Please reduce your request rate.")
        assert retries.is_transient(error)
        error.__cause__ = cause
        assert not retries.is_transient(error)


def test_a_cause_of_the_client_counts_however_deep_it_lies() -> None:
    from aiohttp import ServerDisconnectedError

    middle, error = ValueError("while reading"), TimeoutError("timed out")
    error.__cause__, middle.__cause__ = middle, RuntimeError("ours")
    assert retries.is_transient(error)
    middle.__cause__ = ServerDisconnectedError()
    assert not retries.is_transient(error)


def failing_range(
    stop: int, failures: dict[int, list[Exception]], opened: list[int]
) -> Callable[[int], Iterator[int]]:
    """Gives numbers from a start on, and raises what `failures` holds before each."""

    def open_from(start: int) -> Iterator[int]:
        opened.append(start)
        for number in range(start, stop):
            if failures.get(number):
                raise failures[number].pop(0)
            yield number

    return open_from


def test_an_iterator_goes_on_behind_what_came(waits: list[float]) -> None:
    opened: list[int] = []
    failures = {3: [OSError(errno.EIO, "")] * 3, 4: [ConnectionResetError()] * 3}
    assert list(
        retries.resumed(failing_range(6, {n: list(e) for n, e in failures.items()}, opened))
    ) == list(range(6))
    assert opened == [0, 3, 3, 3, 4, 4, 4]
    assert len(waits) == 6


def test_an_iterator_gives_up_at_the_fourth_error_at_one_place(waits: list[float]) -> None:
    items = retries.resumed(failing_range(6, {2: [OSError(errno.EIO, "disk")] * 4}, []))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(OSError, match="disk"):
        next(items)
    assert len(waits) == 3
    programming = retries.resumed(failing_range(6, {1: [TypeError("ours")]}, []))
    with pytest.raises(TypeError, match="ours"):
        list(programming)
    assert len(waits) == 3
