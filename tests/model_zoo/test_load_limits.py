"""Loading a package has an end in time and memory, in the launcher and on workers."""

from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from pathlib import Path
import resource
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from configs.errors import ModelError
from model_zoo import load_limits
from model_zoo.load_limits import load_within_limits
from model_zoo.package.card import ModelCard
from model_zoo.package.package import read_package
from tests.support.builders import tiny_package
from tests.support.jobs import run_job, small_table, write_job, write_parquet


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    return read_package(tiny_package(tmp_path / "model")).card


def test_what_is_loaded_or_raised_comes_back(card: ModelCard) -> None:
    assert load_within_limits(lambda: 7, "m", card) == 7
    with pytest.raises(ZeroDivisionError):
        load_within_limits(lambda: 1 // 0, "m", card)


def test_a_load_that_fills_the_memory_is_left_behind(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, taken = threading.Event(), list[np.ndarray]()

    def fill() -> None:
        while not stop.wait(0.01):
            taken.append(np.ones(4 << 20))

    monkeypatch.setattr(load_limits, "LOAD_BYTES", 200 << 20)
    try:
        with pytest.raises(
            ModelError, match=r"^m: loading the package took [\d,]+ bytes of memory"
        ):
            load_within_limits(fill, "m", card)
    finally:
        stop.set()


def test_a_load_that_never_ends_is_left_behind(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = threading.Event()
    monkeypatch.setattr(load_limits, "LOAD_SECONDS", 0.2)
    try:
        with pytest.raises(ModelError, match=r"^m: loading the package took longer than 0\.2 s"):
            load_within_limits(hang.wait, "m", card)
    finally:
        hang.set()


@pytest.mark.parametrize(
    "where",
    ["pipelines.planning.model_checks.preprocess_rows", "model_zoo.scoring.loading.load_scorer"],
    ids=["launcher", "worker"],
)
def test_a_run_ends_with_its_line_wherever_the_load_hangs(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = threading.Event()
    never: Callable[..., object] = lambda *_, **__: hang.wait()  # noqa: E731
    monkeypatch.setattr(where, never)
    monkeypatch.setattr(load_limits, "LOAD_SECONDS", 0.2)
    write_parquet(tmp_path / "in/a.parquet", small_table())
    source = {"paths": str(tmp_path / "in"), "key": "id", "passthrough": []}
    job = write_job(tmp_path, tiny_package(tmp_path / "model"), source=source)
    try:
        outcome = run_job(job)
    finally:
        hang.set()
    assert outcome.status == 3
    # In this process the runner's threads write tracebacks, too.
    (line,) = [line for line in outcome.error.splitlines() if line.startswith("error: ")]
    assert "loading the package took longer than 0.2 s" in line


class Looks:
    """Time and memory as a load finds them each time that somebody looks, and a load that ends behind the last look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: list[float], taken: list[int]):
        self.ends = threading.Event()
        times, sizes = iter([0.0, *seconds]), iter([1000, *(1000 + size for size in taken)])
        looks = len(seconds) + 1

        def wait(done: list[Future[object]], timeout: float) -> object:
            nonlocal looks
            looks -= 1
            if looks == 0:
                self.ends.set()
                return futures.wait(done)
            return SimpleNamespace(done=set())

        monkeypatch.setattr(load_limits, "futures", SimpleNamespace(wait=wait))
        monkeypatch.setattr(load_limits, "time", SimpleNamespace(monotonic=lambda: next(times)))
        monkeypatch.setattr(load_limits, "_count_resident_bytes", lambda: next(sizes))

    def load(self, card: ModelCard) -> object:
        try:
            return load_within_limits(self.ends.wait, "m", card)
        finally:
            self.ends.set()


def test_a_load_may_take_half_an_hour(card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Looks(monkeypatch, [9.0, 1_800.0], [0, 0]).load(card)
    with pytest.raises(ModelError, match=r"took longer than 1800 s"):
        Looks(monkeypatch, [9.0, 1_800.1], [0, 0]).load(card)


def test_a_load_may_take_8_gib_and_20_times_what_was_delivered(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered = sum(file.bytes for file in card.files.values())
    most = 8 * 1024**3 + 20 * delivered
    assert Looks(monkeypatch, [1.0, 2.0], [most, 0]).load(card)
    with pytest.raises(ModelError) as caught:
        Looks(monkeypatch, [1.0, 2.0], [0, most + 1]).load(card)
    assert str(caught.value) == (
        f"m: loading the package took {most + 1:,} bytes of memory, more than the "
        f"{most:,} that a package of {delivered:,} bytes may; look what is in it"
    )


def test_memory_is_what_linux_says_that_is_resident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = tmp_path / "statm"
    monkeypatch.setattr(load_limits, "_PAGES", pages)
    # Where there is no such file, nothing is known.
    assert load_limits._count_resident_bytes() == 0
    pages.write_text("900 70 6 5 0 4 0\n")
    assert load_limits._count_resident_bytes() == 70 * resource.getpagesize()
