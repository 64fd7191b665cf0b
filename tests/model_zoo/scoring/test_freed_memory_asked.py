"""What the allocator is asked for, and when it is not, with a stand-in for the C library."""

from collections.abc import Iterator
import ctypes
import struct
from types import SimpleNamespace

import pyarrow as pa
import pytest

from model_zoo.scoring.freed_memory import keep_freed_memory

# malloc.h: DEFAULT_MMAP_THRESHOLD_MAX, which the size of a long decides.
LARGEST_BYTES = 4 * 1024 * 1024 * struct.calcsize("l")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


@pytest.fixture(autouse=True)
def arrow_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL", raising=False)
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.mimalloc_memory_pool())
    yield
    pa.set_memory_pool(before)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """What was asked for, by the names of malloc.h."""
    found: dict[int, int] = {}
    library = SimpleNamespace(mallopt=found.__setitem__)
    monkeypatch.setattr(ctypes, "CDLL", {None: library}.__getitem__)
    for name in ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)
    return found


def test_arrays_of_the_largest_size_that_glibc_keeps_are_kept(asked: dict[int, int]) -> None:
    keep_freed_memory()
    assert asked == {M_MMAP_THRESHOLD: LARGEST_BYTES, M_TRIM_THRESHOLD: 2 * LARGEST_BYTES}
    assert pa.default_memory_pool().backend_name == "system"


@pytest.mark.usefixtures("asked")
def test_arrow_keeps_the_allocator_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "mimalloc")
    keep_freed_memory()
    assert pa.default_memory_pool().backend_name == "mimalloc"


@pytest.mark.parametrize(
    "name", ["GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"]
)
def test_what_the_environment_says_stays(
    name: str, asked: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "65536")
    keep_freed_memory()
    assert asked == {}
    assert pa.default_memory_pool().backend_name == "mimalloc"


def test_another_allocator_is_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    keep_freed_memory()
    assert pa.default_memory_pool().backend_name == "mimalloc"
