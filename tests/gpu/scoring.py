"""Steps that score with a package's model, as a worker does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
import time
from typing import Any

import torch

from model_zoo.arrays import Arrays
from model_zoo.engines.settings import DType, Settings
from model_zoo.engines.tensorrt_engine import find_tensorrt_version
from model_zoo.package.package import Package
from model_zoo.scoring.scorer import Scorer
from tests.gpu.bench import (
    CLOSE,
    Bench,
    Figures,
    NotHere,
    check,
    find_cosine,
    find_difference,
    find_rate,
    load_unless_absent,
    measure,
    measure_in_turns,
    wait,
)
from tests.gpu.workloads import PICTURES, TABLE, TEXTS, Workload, pack

_AT_ONCE = 4
_COSINE = 0.99
# To reach, of what the network does by itself on rows that are on the device already.
_SHARE_OF_MODEL_ALONE = 0.9
# Pictures of a mini-batch that no memory below takes at once.
_TOO_MANY_ROWS = 1024
# What of ONNX Runtime computes on a GPU, as it names it.
_PROVIDERS = {"onnxruntime": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
# Bytes of the device that are left free.
_MEMORY_LEFT = {4 << 30: "4 GiB free", 1 << 30: "1 GiB free, less than the rows take"}


def check_placement(bench: Bench) -> Figures:
    """Score a table on the device and on the CPU."""
    workload = bench.shrink(TABLE)
    package = pack(workload, bench.folder)
    rows = workload.make_rows(bench.count(100_000))
    settings = Settings(workload.batch_rows)
    there = bench.load(package, settings)(rows)
    here = bench.load(package, settings, "cpu")(rows)
    difference = find_difference(there.outputs, here.outputs)
    check(difference <= CLOSE, f"scores differ from the CPU's by {difference:.3g}")
    return {"computed by": there.computed_by, "largest difference from CPU": difference}


def check_streams(bench: Bench) -> Figures:
    """Score from several threads at once, each with pinned memory and a stream of its own."""
    workload = bench.shrink(TABLE)
    package = pack(workload, bench.folder)
    score_rows = bench.load(package, Settings(workload.batch_rows))
    rows = workload.make_rows(bench.count(400_000))
    alone = score_rows(rows)
    seconds_alone = measure(partial(score_rows, rows))
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        calls = [rows] * _AT_ONCE
        began = time.perf_counter()
        together = list(threads.map(score_rows, calls))
        seconds = time.perf_counter() - began
    for scored in together:
        is_equal = find_difference(scored.outputs, alone.outputs) == 0.0
        check(is_equal, "threads that score at the same time give other bits")
    return {
        "rows/s, one thread": find_rate(rows, seconds_alone),
        f"rows/s, {_AT_ONCE} threads": _AT_ONCE * find_rate(rows, seconds),
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
        rows = workload.make_rows(bench.count(1024))
        expected: Arrays = {}
        for dtype in dtypes:
            score_rows = bench.load(package, Settings(workload.batch_rows, dtype))
            outputs = score_rows(rows).outputs
            expected = expected or outputs
            cosine = find_cosine(outputs, expected)
            name = f"{workload.name} {dtype}"
            check(cosine >= _COSINE, f"{name}: cosine with float32 {cosine:.4f}")
            figures[f"{name}, rows/s"] = find_rate(rows, measure(partial(score_rows, rows)))
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
    difference = find_difference(compiled(rows).outputs, eager(rows).outputs)
    check(difference <= CLOSE, f"compiled, scores differ by {difference:.3g}")
    eager_seconds = measure(partial(eager, rows))
    compiled_seconds = measure(partial(compiled, rows))
    return {
        "seconds to load and compile": compile_seconds,
        "times as fast as eager": eager_seconds / compiled_seconds,
        "largest difference": difference,
    }


def check_out_of_memory(bench: Bench) -> Figures:
    """Fill the device, and score what does not fit any more: mini-batches first, then all rows at once."""
    if not bench.is_gpu:
        raise NotHere("a device whose memory can be filled is a GPU")
    package = pack(PICTURES, bench.folder)
    rows = PICTURES.make_rows(bench.count(2048))
    small = bench.load(package, Settings(32))
    expected = small(rows).outputs
    figures: dict[str, Any] = {}
    for left, what in _MEMORY_LEFT.items():
        fitted = _score_with_memory(bench, package, rows, left, expected)
        figures[f"rows of a mini-batch of {_TOO_MANY_ROWS} that fitted, {what}"] = fitted
    return {**figures, "rows rejected": 0}


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
    dtypes: tuple[DType, ...] = ("float32", "bfloat16") if bench.is_gpu else ("float32",)
    for wanted in (PICTURES, TEXTS):
        workload = bench.shrink(wanted)
        package = pack(workload, bench.folder)
        rows = workload.make_rows(bench.count(1024))
        for dtype in dtypes:
            score_rows = bench.load(package, Settings(workload.batch_rows, dtype))
            alone = _make_loop(bench, workload, rows, dtype)
            name = f"{workload.name} {dtype}"
            figures |= _compare_with_alone(name, score_rows, rows, alone)
    return figures


def _compare_with_alone(
    name: str,
    score_rows: Scorer,
    rows: Arrays,
    alone: Callable[[], None],
) -> dict[str, Any]:
    """Return how much of the network's own speed is reached, by one thread and by two."""
    seconds, alone_seconds = measure_in_turns(partial(score_rows, rows), alone)
    with ThreadPoolExecutor(2) as threads:
        # As workers do: one thread's copies run beside another's mini-batches.
        both = [rows, rows]
        two_seconds = measure(lambda: list(threads.map(score_rows, both)))
    share = alone_seconds / seconds
    share_of_two = 2 * alone_seconds / two_seconds
    return {
        f"{name}, rows/s": find_rate(rows, seconds),
        f"{name}, share of the network alone": share,
        f"{name}, share, two threads": share_of_two,
        f"{name}, reaches {_SHARE_OF_MODEL_ALONE}": max(share, share_of_two)
        >= _SHARE_OF_MODEL_ALONE,
    }


def _score_with_memory(
    bench: Bench,
    package: Package,
    rows: Arrays,
    left: int,
    expected: Arrays,
) -> int:
    """Score while a part of the device's memory is free, and return the rows of a mini-batch that fitted."""
    score_rows = bench.load(package, Settings(_TOO_MANY_ROWS))
    device = torch.device(bench.device)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    filled = torch.empty(max(0, free - left), dtype=torch.uint8, device=device)
    try:
        scored = score_rows(rows)
    finally:
        del filled
        torch.cuda.empty_cache()
    fitted = score_rows.mini_batches.rows_that_fit
    if fitted is None:
        raise AssertionError("memory did not run out: the step proves nothing")
    check(not scored.rejected, f"{len(scored.rejected)} rows were rejected for want of memory")
    difference = find_difference(scored.outputs, expected)
    check(difference <= CLOSE, f"scores differ by {difference:.3g}")
    return fitted


def _check_engine(bench: Bench, engine: str) -> Figures:
    wanted = PICTURES if bench.is_gpu else TABLE
    workload = bench.shrink(wanted)
    package = pack(workload, bench.folder, with_graph=True)
    rows = workload.make_rows(bench.count(2048))
    reference = bench.load(package, Settings(workload.batch_rows))
    settings = Settings(workload.batch_rows, engine=engine)
    absent = _find_absent(engine) if bench.is_gpu else ""
    score_rows = load_unless_absent(partial(bench.load, package, settings), absent)
    scored = score_rows(rows)
    difference = find_difference(scored.outputs, reference(rows).outputs)
    check(difference <= CLOSE, f"scores differ from torch's by {difference:.3g}")
    torch_seconds = measure(partial(reference, rows))
    seconds = measure(partial(score_rows, rows))
    return {
        "computed by": scored.computed_by,
        "times as fast as torch": torch_seconds / seconds,
        "largest difference": difference,
    }


def _find_absent(engine: str) -> str:
    """Return what an engine needs on a GPU and this machine has not; empty where all is here."""
    import onnxruntime

    provider = _PROVIDERS[engine]
    if provider not in onnxruntime.get_available_providers():
        return provider
    # Its provider is listed wherever it was built, with TensorRT or without.
    if engine == "tensorrt" and find_tensorrt_version() is None:
        return "TensorRT"
    return ""


def _make_loop(
    bench: Bench,
    workload: Workload,
    rows: Arrays,
    dtype: DType,
) -> Callable[[], None]:
    """Return the network alone: a loop over rows that are on the device, in its dtype."""
    device = torch.device(bench.device)
    torch_dtype = getattr(torch, dtype)
    network = workload.build().to(device, torch_dtype)
    tensors = {}
    for name, array in rows.items():
        tensor = torch.from_numpy(array).to(device)
        tensors[name] = tensor.to(torch_dtype) if tensor.is_floating_point() else tensor
    count = len(next(iter(rows.values())))

    def loop() -> None:
        torch.set_num_threads(1)
        with torch.inference_mode():
            for start in range(0, count, workload.batch_rows):
                batch = {}
                for name, tensor in tensors.items():
                    batch[name] = tensor[start : start + workload.batch_rows]
                network(**batch)
        wait(bench)

    return loop
