"""The steps of the check: each is a function of a Bench that returns figures, or raises where something is not as it must be."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
import subprocess
import sys
import time
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import save_file
import torch

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.settings import DType, Settings
from model_zoo.package.package import Package
from model_zoo.scoring.scorer import Scorer, load_scorer
from tests.gpu.workloads import PICTURES, TABLE, TEXTS, Workload, pack

Figures: TypeAlias = Mapping[str, Any]

_REPEATS = 5
_AT_ONCE = 4
# Other kernels add in another order; of networks of a few layers.
_CLOSE = 1e-3
_COSINE = 0.99
# To reach, of what the network does by itself on rows that are on the device already.
_SHARE_OF_MODEL_ALONE = 0.9


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


class Step(NamedTuple):
    """One step.

    Attributes:
        run: what it does.
        seconds: its budget.
        shows: in words.
    """

    run: Callable[[Bench], Figures]
    seconds: int
    shows: str


def check_placement(bench: Bench) -> Figures:
    """Score a table on the device and on the CPU."""
    workload = bench.shrink(TABLE)
    package = pack(workload, bench.folder)
    rows = workload.make_rows(bench.count(100_000))
    settings = Settings(workload.batch_rows)
    there = bench.load(package, settings)(rows)
    here = bench.load(package, settings, "cpu")(rows)
    difference = _find_difference(there.outputs, here.outputs)
    _check(difference <= _CLOSE, f"scores differ from the CPU's by {difference:.3g}")
    return {"computed by": there.computed_by, "largest difference from CPU": difference}


def check_streams(bench: Bench) -> Figures:
    """Score from several threads at once, each with pinned memory and a stream of its own."""
    workload = bench.shrink(TABLE)
    package = pack(workload, bench.folder)
    score_rows = bench.load(package, Settings(workload.batch_rows))
    rows = workload.make_rows(bench.count(400_000))
    alone = score_rows(rows)
    seconds_alone = _time(partial(score_rows, rows))
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        calls = [rows] * _AT_ONCE
        began = time.perf_counter()
        together = list(threads.map(score_rows, calls))
        seconds = time.perf_counter() - began
    for scored in together:
        is_equal = _find_difference(scored.outputs, alone.outputs) == 0.0
        _check(is_equal, "threads that score at the same time give other bits")
    return {
        "rows/s, one thread": _rate(rows, seconds_alone),
        f"rows/s, {_AT_ONCE} threads": _AT_ONCE * _rate(rows, seconds),
    }


def check_dtypes(bench: Bench) -> Figures:
    """Score pictures and texts in float32, bfloat16 and float16."""
    dtypes: tuple[DType, ...] = ("float32", "bfloat16")
    if bench.is_gpu:
        dtypes = (*dtypes, "float16")
    figures: dict[str, Any] = {}
    for wanted in (PICTURES, TEXTS):
        workload = bench.shrink(wanted)
        package = pack(workload, bench.folder)
        rows = workload.make_rows(bench.count(2048))
        expected: Arrays = {}
        for dtype in dtypes:
            score_rows = bench.load(package, Settings(workload.batch_rows, dtype))
            outputs = score_rows(rows).outputs
            expected = expected or outputs
            cosine = _find_cosine(outputs, expected)
            name = f"{workload.name} {dtype}"
            _check(cosine >= _COSINE, f"{name}: cosine with float32 {cosine:.4f}")
            figures[f"{name}, rows/s"] = _rate(rows, _time(partial(score_rows, rows)))
            figures[f"{name}, cosine"] = cosine
    return figures


def check_compiled(bench: Bench) -> Figures:
    """Compile a network with AOTInductor, and score with it."""
    wanted = PICTURES if bench.is_gpu else TABLE
    workload = bench.shrink(wanted)
    package = pack(workload, bench.folder)
    rows = workload.make_rows(bench.count(2048))
    eager = bench.load(package, Settings(workload.batch_rows))
    began = time.perf_counter()
    compiled = bench.load(package, Settings(workload.batch_rows, compiled=True))
    compile_seconds = time.perf_counter() - began
    difference = _find_difference(compiled(rows).outputs, eager(rows).outputs)
    _check(difference <= _CLOSE, f"compiled, scores differ by {difference:.3g}")
    eager_seconds = _time(partial(eager, rows))
    compiled_seconds = _time(partial(compiled, rows))
    return {
        "seconds to load and compile": compile_seconds,
        "times as fast as eager": eager_seconds / compiled_seconds,
        "largest difference": difference,
    }


def check_out_of_memory(bench: Bench) -> Figures:
    """Fill the device, and score with mini-batches that do not fit any more."""
    if not bench.is_gpu:
        raise NotHere("a device whose memory can be filled is a GPU")
    package = pack(PICTURES, bench.folder)
    batch_rows = 1024
    rows = PICTURES.make_rows(bench.count(2048))
    small = bench.load(package, Settings(32))
    expected = small(rows)
    score_rows = bench.load(package, Settings(batch_rows))
    device = torch.device(bench.device)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    # What is left takes some pictures at once, and not a thousand of them.
    left = 4 << 30
    filled = torch.empty(max(0, free - left), dtype=torch.uint8, device=device)
    try:
        scored = score_rows(rows)
    finally:
        del filled
    fitted = score_rows.mini_batches.rows_that_fit
    _check(fitted is not None, "memory did not run out: the step proves nothing")
    _check(not scored.rejected, f"{len(scored.rejected)} rows were rejected for want of memory")
    difference = _find_difference(scored.outputs, expected.outputs)
    _check(difference <= _CLOSE, f"scores differ by {difference:.3g}")
    return {"mini-batches wanted": batch_rows, "that fitted": fitted, "rows rejected": 0}


def check_onnxruntime(bench: Bench) -> Figures:
    """Score with ONNX Runtime on the device: CUDAExecutionProvider, or a refusal."""
    return _check_engine(bench, "onnxruntime")


def check_tensorrt(bench: Bench) -> Figures:
    """Score with TensorRT."""
    if not bench.is_gpu:
        raise NotHere("TensorRT needs a GPU")
    return _check_engine(bench, "tensorrt")


def check_model_alone(bench: Bench) -> Figures:
    """Compare with the network alone, on rows that are on the device already."""
    figures: dict[str, Any] = {}
    for wanted in (PICTURES, TEXTS):
        workload = bench.shrink(wanted)
        package = pack(workload, bench.folder)
        rows = workload.make_rows(bench.count(4096))
        score_rows = bench.load(package, Settings(workload.batch_rows))
        alone = _make_loop(bench, workload, rows)
        seconds, alone_seconds = _time_in_turns(partial(score_rows, rows), alone)
        share = alone_seconds / seconds
        figures[f"{workload.name}, rows/s"] = _rate(rows, seconds)
        figures[f"{workload.name}, share of the network alone"] = share
        figures[f"{workload.name}, reaches {_SHARE_OF_MODEL_ALONE}"] = (
            share >= _SHARE_OF_MODEL_ALONE
        )
    return figures


def check_program(bench: Bench) -> Figures:
    """Score a table with the whole program, on the device and on the CPU."""
    workload = bench.shrink(TABLE)
    rows = bench.count(4_000_000)
    shards = bench.folder / "shards"
    shards.mkdir(exist_ok=True)
    columns = _make_columns(workload, rows)
    pq.write_table(pa.table(columns), shards / "part-0.parquet", row_group_size=1 << 17)
    package = _pack_table(workload, bench.folder)
    seconds = {}
    for device in (bench.device, "cpu"):
        began = time.perf_counter()
        _score(bench.folder, shards, package, device)
        seconds[device] = time.perf_counter() - began
    there = _read_scores(bench.folder / bench.device)
    here = _read_scores(bench.folder / "cpu")
    difference = float(np.abs(there - here).max())
    _check(len(there) == rows, f"{len(there)} rows of {rows} came out")
    _check(difference <= _CLOSE, f"scores differ by {difference:.3g}")
    return {
        "rows/s on the device": rows / seconds[bench.device],
        "rows/s on the CPU": rows / seconds["cpu"],
        "largest difference": difference,
    }


STEPS: dict[str, Step] = {
    "placement": Step(check_placement, 30, "scores on the device are the CPU's"),
    "streams": Step(check_streams, 40, "pinned copies and streams of several threads, same bits"),
    "dtypes": Step(check_dtypes, 70, "float32, bfloat16, float16: speed and agreement"),
    "compiled": Step(check_compiled, 120, "machine code for the device"),
    "out_of_memory": Step(check_out_of_memory, 45, "memory really runs out, and no row is lost"),
    "onnxruntime": Step(check_onnxruntime, 45, "ONNX Runtime on the device"),
    "tensorrt": Step(check_tensorrt, 60, "TensorRT"),
    "model_alone": Step(check_model_alone, 40, "ResNet-50 and MiniLM beside the network alone"),
    "program": Step(check_program, 30, "the whole program on a table"),
}


def _check_engine(bench: Bench, engine: str) -> Figures:
    wanted = PICTURES if bench.is_gpu else TABLE
    workload = bench.shrink(wanted)
    package = pack(workload, bench.folder, with_graph=True)
    rows = workload.make_rows(bench.count(2048))
    reference = bench.load(package, Settings(workload.batch_rows))
    settings = Settings(workload.batch_rows, engine=engine)
    try:
        score_rows = bench.load(package, settings)
    except ModelError as error:
        # The plain refusal is what must come where the provider is not installed.
        raise NotHere(str(error)) from error
    scored = score_rows(rows)
    difference = _find_difference(scored.outputs, reference(rows).outputs)
    _check(difference <= _CLOSE, f"scores differ from torch's by {difference:.3g}")
    torch_seconds = _time(partial(reference, rows))
    seconds = _time(partial(score_rows, rows))
    return {
        "computed by": scored.computed_by,
        "times as fast as torch": torch_seconds / seconds,
        "largest difference": difference,
    }


def _make_loop(bench: Bench, workload: Workload, rows: Arrays) -> Callable[[], None]:
    """Return the network alone: a loop over rows that are on the device."""
    device = torch.device(bench.device)
    network = workload.build().to(device)
    tensors = {name: torch.from_numpy(array).to(device) for name, array in rows.items()}
    count = len(next(iter(rows.values())))

    def loop() -> None:
        torch.set_num_threads(1)
        with torch.inference_mode():
            for start in range(0, count, workload.batch_rows):
                batch = {}
                for name, tensor in tensors.items():
                    batch[name] = tensor[start : start + workload.batch_rows]
                network(**batch)
        _wait(bench)

    return loop


def _wait(bench: Bench) -> None:
    if bench.is_gpu:
        torch.cuda.synchronize(torch.device(bench.device))


def _time(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes: the median of some, after a first one."""
    call()
    return median(_time_once(call) for _ in range(_REPEATS))


def _time_in_turns(
    first: Callable[[], object], second: Callable[[], object]
) -> tuple[float, float]:
    """Return the seconds of both, which take turns, as medians."""
    first()
    second()
    firsts = []
    seconds = []
    for _ in range(_REPEATS):
        firsts.append(_time_once(first))
        seconds.append(_time_once(second))
    return median(firsts), median(seconds)


def _time_once(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _rate(rows: Arrays, seconds: float) -> float:
    count = len(next(iter(rows.values())))
    return count / seconds


def _find_difference(outputs: Arrays, expected: Arrays) -> float:
    """Return the largest absolute difference; infinity where one is no number."""
    largest = 0.0
    for name, values in expected.items():
        difference = float(np.abs(outputs[name] - values).max())
        largest = max(largest, difference if np.isfinite(difference) else np.inf)
    return largest


def _find_cosine(outputs: Arrays, expected: Arrays) -> float:
    """Return the smallest cosine of a row with what is expected of it."""
    smallest = 1.0
    for name, values in expected.items():
        found = outputs[name].astype(np.float64)
        products = (found * values).sum(axis=-1)
        lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(values, axis=-1)
        smallest = min(smallest, float((products / lengths).min()))
    return smallest


def _check(is_right: bool, otherwise: str) -> None:
    if not is_right:
        raise AssertionError(otherwise)


def _make_columns(workload: Workload, rows: int) -> dict[str, np.ndarray]:
    (features,) = workload.make_rows(rows).values()
    columns: dict[str, np.ndarray] = {"id": np.arange(rows)}
    for number in range(features.shape[1]):
        columns[f"f{number}"] = features[:, number]
    return columns


def _pack_table(workload: Workload, folder: Path) -> Path:
    """Pack the table's network by the program itself, as a user does."""
    network = workload.build()
    weights = folder / "table.safetensors"
    save_file(network.state_dict(), weights)
    sample = folder / "sample.parquet"
    pq.write_table(pa.table(_make_columns(workload, 500)), sample)
    output = folder / "table_package"
    parameters = workload.parameters
    words = [
        f"--network={workload.builder}",
        f"--weights={weights}",
        f"--sample={sample}",
        "--key=id",
        "--activation=sigmoid",
        "--name=table",
        f"--output={output}",
        # Nothing of it is measured here.
        "--set=onnx=false",
    ]
    for name, value in parameters.items():
        words.append(f"--set=parameters.{name}={value}")
    _run("pipelines.package", words)
    return output


def _score(folder: Path, shards: Path, package: Path, device: str) -> None:
    words = [
        f"--config={package}.job.yaml",
        f"--input={shards}/*.parquet",
        f"--output={folder / device}",
        f"--set=model.device={device}",
    ]
    _run("pipelines.score", words)


def _run(program: str, words: Sequence[str]) -> None:
    command = [sys.executable, "-m", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    _check(done.returncode == 0, f"{program}: status {done.returncode}: {done.stderr.strip()}")


def _read_scores(folder: Path) -> np.ndarray:
    run = (folder / "CURRENT").read_text().strip()
    table = pq.read_table(folder / "runs" / run / "scored").sort_by("id")
    values: np.ndarray = table.column("probability").to_numpy()
    return values
