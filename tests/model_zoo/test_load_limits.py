"""Loading a package has an end in time and memory, in the launcher and on workers."""

from collections.abc import Callable
from pathlib import Path
import threading

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
        with pytest.raises(ModelError, match=r"^m: loading the package took \d+ MiB of memory"):
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
    ["pipelines.planning.model_checks.preprocess_rows", "model_zoo.scoring.scorer.load_scorer"],
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
    # In this process the runner's threads write tracebacks before it.
    assert "loading the package took longer than 0.2 s" in outcome.error.splitlines()[-1]
