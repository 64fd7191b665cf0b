"""Loops without Beam over JPEG bytes: Pillow, torch and float32 as people write it, and the best one.

Without torchvision, whose transforms cost more than these lines, and its import more than a second.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
import io
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import load_file
import torch

from model_zoo.architectures.resnet import resnet18
from tests.benchmarks.engine_loops import is_tuned, load_tuned
from tests.benchmarks.images_data import CLASSES, MEAN, SIDE, STD
from tests.benchmarks.machine import cpu_flags

BATCH_ROWS = 32
ENGINE_ROWS = 32
READ = ("id", "image")
SCHEMA = pa.schema([("id", pa.int64()), ("class", pa.int32()), ("probability", pa.float32())])
# Of each channel, for pixels (3, height, width).
_MEAN, _STD = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))


def scorer(package: Path) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """What people do with a batch: decode, resize, to tensor, one after the other; the network as it comes; softmax."""
    network = load_network(package)

    @torch.no_grad()
    def score(batch: pa.RecordBatch) -> pa.RecordBatch:
        images = [transform(content) for content in batch.column("image").to_pylist()]
        return _scored(batch, network(torch.stack(images)))

    return score


def transform(content: bytes) -> torch.Tensor:
    """What torchvision calls Resize, ToTensor and Normalize."""
    image = PIL.Image.open(io.BytesIO(content)).convert("RGB")
    resized = image.resize((SIDE, SIDE), PIL.Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1)
    return (pixels / 255 - _MEAN) / _STD


def plain_loop(shards: list[Path], package: Path, output: Path) -> None:
    """File by file, in batches of 32; every option as it comes."""
    score = scorer(package)
    for shard in shards:
        rows = pq.read_table(shard).to_batches(BATCH_ROWS)
        scored = [score(part) for batch in rows for part in _parts(batch)]
        pq.write_table(
            pa.Table.from_batches(scored, schema=SCHEMA), output / shard.name, compression="zstd"
        )


def best_loop(shards: list[Path], package: Path, output: Path) -> None:
    """Two threads, so that one decodes while the other computes; channels last; bfloat16 where the processor multiplies it."""
    torch.set_num_threads(1)
    dtype = torch.bfloat16 if cpu_flags() & {"amx_bf16", "avx512_bf16"} else torch.float32
    network = load_network(package).to(dtype=dtype, memory_format=torch.channels_last)
    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(
                lambda shard: _score_shard(shard, network, dtype, output / shard.name), shards
            )
        )


def best_loop_of_engine(shards: list[Path], package: Path, output: Path) -> None:
    """The best loop, its network computed by the engine and in the precision that tuning found fastest."""
    if not is_tuned(package):
        best_loop(shards, package, output)
        return
    torch.set_num_threads(1)
    compute = load_tuned(package)

    def network(images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(compute({"image": images.numpy()}))

    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(
                lambda shard: _score_shard(shard, network, torch.float32, output / shard.name),
                shards,
            )
        )


@torch.inference_mode()
def _score_shard(
    shard: Path,
    network: Callable[[torch.Tensor], torch.Tensor],
    dtype: torch.dtype,
    path: Path,
) -> None:
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    with (
        pq.ParquetFile(shard, memory_map=True) as file,
        pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer,
    ):
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            pixels = np.stack([_decoded(content) for content in batch.column("image")])
            images = torch.from_numpy(pixels).permute(
                0, 3, 1, 2
            )  # a view that is channels last already
            writer.write_batch(_scored(batch, network(((images - mean) / std).to(dtype)).float()))


def _decoded(content: pa.BinaryScalar) -> np.ndarray:
    with PIL.Image.open(pa.BufferReader(content.as_buffer())) as image:
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), PIL.Image.Resampling.BILINEAR))


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, BATCH_ROWS):
        yield batch.slice(start, BATCH_ROWS)


def _scored(batch: pa.RecordBatch, logits: torch.Tensor) -> pa.RecordBatch:
    probability, best = torch.softmax(logits, 1).max(1)
    columns = [
        batch.column("id"),
        pa.array(best.numpy().astype(np.int32)),
        pa.array(probability.numpy()),
    ]
    return pa.record_batch(columns, schema=SCHEMA)


def load_network(package: Path) -> torch.nn.Module:
    """Return the network, which takes images and gives logits, with the package's weights."""
    named = resnet18(CLASSES)
    named.load_state_dict(load_file(package / "weights.safetensors"))
    network: torch.nn.Module = named.network
    return network.eval()


LOOPS: dict[str, Callable[[list[Path], Path, Path], None]] = {
    "plain": plain_loop,
    "best": best_loop,
    "best_of_engine": best_loop_of_engine,
}
