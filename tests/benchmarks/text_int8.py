"""Ways to compute a model of texts in 8 bits beside each other: CPU seconds of the network alone, and cosine to float32.

    python -m tests.benchmarks.text_int8 [--rows 128] [--repeats 5]

Beside what tuning tries, the libraries' other ways, which no engine takes: ONNX Runtime's blocks of
weights (MatMulNBits) and scales for a mini-batch, torch's scales for a mini-batch, and its product of
bytes with a scale for each token. They take turns on one thread over the benchmark's mini-batches.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
import logging
from pathlib import Path
from statistics import median
import sys
import tempfile
import time
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from model_zoo.arrays import Arrays
from model_zoo.engines.engine import make_engine
from model_zoo.engines.settings import Settings
from model_zoo.engines.whole_graph import read_whole_graph
from model_zoo.package.packed_model import PackedModel
from model_zoo.package.weights import load_network
from model_zoo.scoring.length_buckets import score_by_length
from model_zoo.scoring.scored import Scored
from pipelines.planning.plan import Plan
from pipelines.tuning.sampling import take_sample
from tests.benchmarks.precisions import plan_workload
from tests.benchmarks.text_data import INSTALL, is_installed

Compute: TypeAlias = Callable[[Arrays], np.ndarray]
_REFERENCE = "torch float32"
_BESIDE = "torch bfloat16"
_LARGEST = 127
_CPU = torch.device("cpu")


class _ByToken(nn.Module):
    """A linear layer in 8 bits: a scale for each token, and one for each output."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weights = layer.weight.detach()
        self.scales = weights.abs().amax(1) / _LARGEST
        rounded = (weights / self.scales[:, None]).round()
        self.weights = rounded.to(torch.int8).t().contiguous()
        self.bias = layer.bias

    def forward(self, values: Tensor) -> Tensor:
        tokens = values.flatten(0, -2)
        sizes = tokens.abs().amax(1, keepdim=True) / _LARGEST
        sizes = sizes.clamp(min=1e-9)
        rounded = (tokens / sizes).round().to(torch.int8)
        products = torch._int_mm(rounded, self.weights)
        given = products * sizes * self.scales + self.bias
        return given.reshape(*values.shape[:-1], -1)


def _list_ways(package: PackedModel, batches: Sequence[Arrays]) -> dict[str, Compute]:
    """Return functions of a mini-batch by what they are, the reference first."""
    ways: dict[str, Compute] = {
        _REFERENCE: _as_torch(load_network(package).eval()),
        _BESIDE: _as_torch(load_network(package).eval().to(torch.bfloat16)),
    }
    for dtype in ("bfloat16", "int8"):
        ways[f"OpenVINO {dtype}"] = _as_engine(package, dtype, batches)
    for bits, numbers in ((8, 32), (8, 64), (8, 128), (4, 32)):
        ways[f"ONNX Runtime, weights of {bits} bits by {numbers}"] = _with_blocks(
            package, bits, numbers
        )
    ways["ONNX Runtime, scales of a mini-batch"] = _with_scales_of_batch(package)
    # torch's authors will delete it.
    quantization: Any = torch.ao.quantization
    layers = {nn.Linear: quantization.per_channel_dynamic_qconfig}
    rounded = quantization.quantize_dynamic(load_network(package).eval(), layers)
    ways["torch, scales of a mini-batch"] = _as_torch(rounded)
    ways["torch, scales of a token"] = _as_torch(_replace_layers(load_network(package).eval()))
    return ways


def _as_torch(network: nn.Module) -> Compute:
    @torch.inference_mode()
    def compute(inputs: Arrays) -> np.ndarray:
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        return np.asarray(network(**tensors)["embedding"].numpy())

    return compute


def _as_engine(package: PackedModel, dtype: Any, batches: Sequence[Arrays]) -> Compute:
    engine = make_engine("openvino")
    tensors = [{name: torch.from_numpy(array) for name, array in one.items()} for one in batches]
    settings = Settings(16, dtype, engine="openvino")
    calibrated = engine.calibrate(package, settings, lambda rows: tensors)
    return _as_torch(_Called(engine.load(package, _CPU, 1, calibrated).compute))


class _Called(nn.Module):
    """What an engine has loaded, called as a network."""

    def __init__(self, compute: Callable[..., Any]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, **inputs: Tensor) -> Any:
        return self.compute(**inputs)


def _with_blocks(package: PackedModel, bits: int, numbers: int) -> Compute:
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer

    model = onnx.ModelProto.FromString(read_whole_graph(package).content)
    # The level at which what weights are multiplied with is rounded to 8 bits, too.
    quantizer = matmul_nbits_quantizer.MatMulNBitsQuantizer(
        model, bits=bits, block_size=numbers, is_symmetric=True, accuracy_level=4
    )
    quantizer.process()
    return _as_session(quantizer.model.model.SerializeToString())


def _with_scales_of_batch(package: PackedModel) -> Compute:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        plain, rounded = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        plain.write_bytes(read_whole_graph(package).content)
        quantize_dynamic(
            plain,
            rounded,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"],
        )
        return _as_session(rounded.read_bytes())


def _as_session(content: bytes) -> Compute:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda inputs: np.asarray(session.run(["embedding"], inputs)[0])


def _replace_layers(network: nn.Module) -> nn.Module:
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, _ByToken(child))
    return network


def _cut_batches(plan: Plan, rows: int) -> list[Arrays]:
    """Return mini-batches as a worker makes them, by length."""
    card = plan.package.card
    batches: list[Arrays] = []

    def note(inputs: Arrays, batch_rows: int) -> Scored:
        count = len(inputs["input_ids"])
        for start in range(0, count, batch_rows):
            stop = start + batch_rows
            batches.append({name: array[start:stop] for name, array in inputs.items()})
        return Scored({"embedding": np.zeros((count, *card.outputs["embedding"].shape))}, {})

    for part in take_sample(plan, rows).inputs:
        score_by_length(note, card, part, plan.inference.settings.batch_rows)
    return [{name: np.ascontiguousarray(a) for name, a in batch.items()} for batch in batches]


def _take_turns(
    ways: Mapping[str, Compute], batches: Sequence[Arrays], repeats: int
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, compute in ways.items():
            began = time.process_time()
            for batch in batches:
                compute(batch)
            seconds[name].append(time.process_time() - began)
    return seconds


def _find_cosines(compute: Compute, batches: Sequence[Arrays], expected: np.ndarray) -> np.ndarray:
    actual = np.concatenate([compute(batch) for batch in batches])
    lengths = np.linalg.norm(actual, axis=1) * np.linalg.norm(expected, axis=1)
    return np.asarray((actual * expected).sum(axis=1) / lengths)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where inputs are made once, and kept")
    arguments = parser.parse_args()
    if not is_installed():
        sys.exit(INSTALL)
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        plan = plan_workload("text", arguments.folder or Path(temporary), arguments.rows)
        batches = _cut_batches(plan, arguments.rows)
        ways = _list_ways(plan.package, batches)
        expected = np.concatenate([ways[_REFERENCE](batch) for batch in batches])
        cosines = {name: _find_cosines(way, batches, expected) for name, way in ways.items()}
        seconds = _take_turns(ways, batches, arguments.repeats)
    print("| way | smallest cosine | mean | times as fast as torch float32 | as torch bfloat16 |")
    print("|---|---|---|---|---|")
    for name in ways:
        ratios = partial(_compare, seconds[name])
        print(
            f"| {name} | {cosines[name].min():.5f} | {cosines[name].mean():.5f} "
            f"| {ratios(seconds[_REFERENCE])} | {ratios(seconds[_BESIDE])} |"
        )


def _compare(own: Sequence[float], others: Sequence[float]) -> str:
    ratios = [other / one for one, other in zip(own, others, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"


if __name__ == "__main__":
    main()
