"""Where steps run, and how they measure and compare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
import time
from typing import Any, TypeAlias

import numpy as np
import torch

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.settings import Settings
from model_zoo.package.package import Package
from model_zoo.scoring.scorer import Scorer, load_scorer
from tests.gpu.workloads import Workload

Figures: TypeAlias = Mapping[str, Any]

# Other kernels add in another order; of networks of a few layers.
CLOSE = 1e-3
_REPEATS = 5


class NotHere(Exception):
    """What a step would show is not to be had on this machine."""


@dataclass(frozen=True)
class Bench:
    """Where steps run.

    Attributes:
        device: as jobs name it.
        folder: for what steps write.
        size: 1 for the whole check; less for a small part of its rows.
    """

    device: str
    folder: Path
    size: float = 1.0

    @property
    def is_gpu(self) -> bool:
        """Tell whether there is a GPU to look at."""
        return self.device != "cpu"

    def count(self, rows: int) -> int:
        """Return so many rows, or a part of them; never fewer than some mini-batches of pictures."""
        return max(8, int(rows * self.size))

    def shrink(self, workload: Workload) -> Workload:
        """Return a workload with mini-batches that a small part has enough rows for."""
        rows = max(4, int(workload.batch_rows * min(1.0, self.size)))
        return replace(workload, batch_rows=rows)

    def load(self, package: Package, settings: Settings, device: str | None = None) -> Scorer:
        """Return a package's model."""
        scorer = load_scorer(package, device or self.device, settings, threads=1)
        # One device: `cuda:0`, and never all there are.
        assert isinstance(scorer, Scorer)
        return scorer


def wait(bench: Bench) -> None:
    if bench.is_gpu:
        torch.cuda.synchronize(torch.device(bench.device))


def measure(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes: the median of some, after a first one."""
    call()
    return median(measure_once(call) for _ in range(_REPEATS))


def measure_in_turns(
    first: Callable[[], object], second: Callable[[], object]
) -> tuple[float, float]:
    """Return the seconds of both, which take turns, as medians."""
    first()
    second()
    firsts = []
    seconds = []
    for _ in range(_REPEATS):
        firsts.append(measure_once(first))
        seconds.append(measure_once(second))
    return median(firsts), median(seconds)


def measure_once(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def find_rate(rows: Arrays, seconds: float) -> float:
    count = len(next(iter(rows.values())))
    return count / seconds


def find_difference(outputs: Arrays, expected: Arrays) -> float:
    """Return the largest absolute difference; infinity where one is no number."""
    largest = 0.0
    for name, values in expected.items():
        difference = float(np.abs(outputs[name] - values).max())
        largest = max(largest, difference if np.isfinite(difference) else np.inf)
    return largest


def find_cosine(outputs: Arrays, expected: Arrays) -> float:
    """Return the smallest cosine of a row with what is expected of it; -1 where one is no number."""
    smallest = 1.0
    for name, values in expected.items():
        found = outputs[name].astype(np.float64)
        products = (found * values).sum(axis=-1)
        lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(values, axis=-1)
        cosine = float((products / lengths).min())
        smallest = min(smallest, cosine if np.isfinite(cosine) else -1.0)
    return smallest


def load_unless_absent(load: Callable[[], Scorer], absent: str) -> Scorer:
    """Load a model whose engine is installed, and see that it is refused where it is not.

    Args:
        load: loads it.
        absent: what its engine needs and this machine has not; empty where all is here.

    Raises:
        NotHere: it was refused, as it must be, for want of `absent`.
        ModelError: it was refused though all is here.
    """
    try:
        score_rows = load()
    except ModelError as error:
        if absent:
            raise NotHere(str(error)) from error
        raise
    check(not absent, f"{absent} is not here, and something else computes")
    return score_rows


def check(is_right: bool, otherwise: str) -> None:
    if not is_right:
        raise AssertionError(otherwise)
