"""The least that a row costs on this machine, beside loops: how many times as fast any pipeline could be.

    python -m tests.benchmarks.bounds [--workloads images text digits] [--repeats 3]

The least is to read and preprocess a row, as this pipeline does, and to compute it with the fastest
engine and precision whose scores agree as the workload's job asks. Both are CPU seconds while a thread
on each core does the same, because two threads of one core get in each other's way. A loop takes the
clock's seconds, less those of loading its model. Start-up, writing and the graph come on top of the
least, so no pipeline reaches these ratios. On a busy machine loops look slower than they are, on the
clock and, as threads that wait for one another count, by CPU seconds too.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
import importlib
from pathlib import Path
from statistics import median
import tempfile
import time
from typing import NamedTuple

import torch

from configs.tolerance import Tolerance
from model_zoo.engines.machine import cores
from pipelines.tuning.sample import Parts
from pipelines.tuning.sampling import take_sample
from tests.benchmarks.compare import Shards
from tests.benchmarks.precisions import (
    INPUTS,
    Measurement,
    load_settings,
    parse_flags,
    plan_workload,
    score_all,
)

_LOOPS = ("plain", "best")
# Of the settings that agree so many take turns: the first pass tells which are near the fastest.
_FINALISTS = 3


class _Asked(NamedTuple):
    """What a workload is measured with.

    Attributes:
        rows: so many that a loop takes some seconds.
        tolerance: as the workload's job asks.
        without: settings that cannot be kept, and take minutes to make.
    """

    rows: int
    tolerance: Tolerance
    without: tuple[str, ...] = ()


_LABELS = Tolerance(label_agreement=0.995, max_difference=1.0)
WORKLOADS: Mapping[str, _Asked] = {
    "images": _Asked(128, _LABELS),
    "text": _Asked(192, Tolerance(cosine=0.999, max_difference=1.0), ("onnxruntime",)),
    "digits": _Asked(8_192, _LABELS),
}


class Spent(NamedTuple):
    """What rows took: seconds of the clock, and of all cores."""

    seconds: float
    cpu_seconds: float


@dataclass
class Bound:
    """What all rows of a workload took, repeat by repeat.

    Attributes:
        rows: that were scored.
        finalists: the fastest settings whose scores agree.
        preparing: CPU seconds of reading and preprocessing.
        loops: of each loop, by name.
    """

    rows: int
    finalists: list[Measurement]
    preparing: list[float] = field(default_factory=list)
    loops: dict[str, list[Spent]] = field(default_factory=dict)


def measure_bound(name: str, folder: Path, rows: int, repeats: int) -> Bound:
    """Measure a workload.

    Args:
        name: of the workload.
        folder: where its rows and package are made once, and kept.
        rows: of its input.
        repeats: how often each takes its turn.
    """
    asked = WORKLOADS[name]
    plan = plan_workload(name, folder, rows)
    sample = take_sample(plan, rows)
    measured = load_settings(plan, sample.inputs, asked.without)
    bound = Bound(sample.rows, _choose_finalists(measured, sample.inputs, asked.tolerance))
    shards = Shards(folder / name, rows, 2)
    loops = _find_loops(name, shards.path, folder / name / INPUTS[name].package)
    for _ in range(repeats):
        for loop_name, run in loops.items():
            bound.loops.setdefault(loop_name, []).append(run())
        bound.preparing.append(_time_on_all_cores(partial(take_sample, plan, rows)))
        for one in bound.finalists:
            assert one.score is not None
            scoring = partial(score_all, one.score, sample.inputs)
            one.seconds.append(_time_on_all_cores(scoring))
    return bound


def _choose_finalists(
    measured: Sequence[Measurement], parts: Parts, tolerance: Tolerance
) -> list[Measurement]:
    agreeing = []
    for one in measured:
        if one.agreement is not None and one.agreement.is_within(tolerance):
            one.take_turn(parts)
            agreeing.append(one)
    agreeing.sort(key=lambda one: one.seconds[0])
    finalists = agreeing[:_FINALISTS]
    for one in finalists:
        one.seconds.clear()
    return finalists


def _time_on_all_cores(work: Callable[[], object]) -> float:
    """Return the CPU seconds that work takes a thread, while one on each core does it."""
    threads = cores()
    began = time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(work) for _ in range(threads)]
        for one in waiting:
            one.result()
    return (time.process_time() - began) / threads


def _find_loops(name: str, shards: Path, package: Path) -> dict[str, Callable[[], Spent]]:
    module = importlib.import_module(f"tests.benchmarks.{name}_loops")
    paths = sorted(shards.glob("part-*"))
    loops = {}
    for loop_name in _LOOPS:
        run = partial(_run_loop, module.LOOPS[loop_name], package=package)
        # The first time, it imports what it needs.
        run([])
        loops[loop_name] = partial(run, paths)
    return loops


def _run_loop(
    loop: Callable[[list[Path], Path, Path], None], paths: list[Path], package: Path
) -> Spent:
    """Return what a loop takes, less what it takes without any file."""
    # As in a program of its own; engines have set it to one.
    torch.set_num_threads(cores())
    with tempfile.TemporaryDirectory() as output:
        loading = _time(lambda: loop([], package, Path(output)))
        whole = _time(lambda: loop(paths, package, Path(output)))
    torch.set_num_threads(1)
    return Spent(whole.seconds - loading.seconds, whole.cpu_seconds - loading.cpu_seconds)


def _time(work: Callable[[], object]) -> Spent:
    began = time.perf_counter()
    cpu_began = time.process_time()
    work()
    return Spent(time.perf_counter() - began, time.process_time() - cpu_began)


def describe(name: str, bound: Bound, cores_here: int) -> list[str]:
    """Return the lines of a workload's table, as Markdown.

    Args:
        name: of the workload.
        bound: as `measure_bound` returns it.
        cores_here: that this machine has.
    """
    network = min(bound.finalists, key=lambda one: median(one.seconds))
    computing = median(network.seconds)
    preparing = median(bound.preparing)
    least = preparing + computing
    setting = str(network.settings)
    engine = network.settings.engine
    shown = setting if setting.startswith(engine) else f"{engine} {setting}"
    lines = []
    for loop_name, spent in bound.loops.items():
        kept_busy = median(run.seconds for run in spent) * cores_here
        cpu = median(run.cpu_seconds for run in spent)
        figures = [kept_busy, cpu, preparing, computing]
        per_row = [f"{seconds / bound.rows * 1e6:,.1f}" for seconds in figures]
        ratios = [f"{kept_busy / least:.2f}", f"{cpu / least:.2f}", f"{kept_busy / computing:.2f}"]
        lines.append("| " + " | ".join([name, loop_name, *per_row, shown, *ratios]) + " |")
    return lines


def main() -> None:
    """Measure, and print the table."""
    arguments = parse_flags(__doc__, list(WORKLOADS), repeats=3)
    print("µs a row: all cores while the loop runs, the loop's CPU, preprocessing, network")
    print("| workload | loop | all cores | CPU | preprocessing | network | computed by | "
          "at most | by CPU | without preprocessing |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for name in arguments.workloads:
            rows = arguments.rows or WORKLOADS[name].rows
            bound = measure_bound(name, folder, rows, arguments.repeats)
            for line in describe(name, bound, cores()):
                print(line, flush=True)


if __name__ == "__main__":
    main()
