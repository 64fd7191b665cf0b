"""Loops without Beam over small PNGs: Pillow, torch and float32 as people write it, and the best one.

Without torchvision, whose transforms cost more than these lines, and its import more than a second.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
import io
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import load_file
import torch

from model_zoo.architectures.builders import build
from tests.benchmarks.digits_data import MEAN, PARAMETERS, STD
from tests.benchmarks.engine_loops import is_tuned, load_tuned

BATCH_ROWS = 32
# The network is small: calling it costs more than 32 of its rows.
BEST_ROWS = 512
SCHEMA = pa.schema([("id", pa.int64()), ("class", pa.int32()), ("probability", pa.float32())])
# Takes and gives float32: images (rows, 1, 8, 8), logits (rows, 10).
Network = Callable[[torch.Tensor], torch.Tensor]


@torch.no_grad()
def plain_loop(shards: list[Path], package: Path, output: Path) -> None:
    """File by file, in batches of 32, image by image; the network as it comes."""
    network = _load(package)
    for shard in shards:
        scored = []
        for batch in pq.ParquetFile(shard).iter_batches(BATCH_ROWS):
            images = [transform(content) for content in batch.column("image").to_pylist()]
            logits = network(torch.stack(images))
            scored.append(_score(batch, logits))
        table = pa.Table.from_batches(scored, schema=SCHEMA)
        pq.write_table(table, output / shard.name, compression="zstd")


def transform(content: bytes) -> torch.Tensor:
    """What torchvision calls ToTensor and Normalize."""
    image = PIL.Image.open(io.BytesIO(content)).convert("L")
    pixels = torch.from_numpy(np.array(image))[None]
    return (pixels / 255 - MEAN) / STD


def best_loop(shards: list[Path], package: Path, output: Path) -> None:
    """Two threads, so that one decodes while the other computes; larger batches, normalised at once."""
    torch.set_num_threads(1)
    _run_threads(shards, _load(package), output)


def best_loop_of_engine(shards: list[Path], package: Path, output: Path) -> None:
    """The best loop, its network computed by the engine and in the precision that tuning found fastest."""
    if not is_tuned(package):
        best_loop(shards, package, output)
        return
    torch.set_num_threads(1)
    compute = load_tuned(package)

    def network(images: torch.Tensor) -> torch.Tensor:
        logits = compute({"image": images.numpy()})
        return torch.from_numpy(logits)

    _run_threads(shards, network, output)


def _run_threads(shards: list[Path], network: Network, output: Path) -> None:
    score = partial(_score_shard, network=network, output=output)
    with ThreadPoolExecutor(2) as threads:
        # A list, so that the error of a shard is raised.
        list(threads.map(score, shards))


@torch.inference_mode()
def _score_shard(shard: Path, network: Network, output: Path) -> None:
    with (
        pq.ParquetFile(shard, memory_map=True) as file,
        pq.ParquetWriter(output / shard.name, SCHEMA, compression="zstd") as writer,
    ):
        for batch in file.iter_batches(BEST_ROWS, use_threads=False):
            pixels = np.stack(list(_decode(batch)))
            scaled = torch.from_numpy(pixels) / 255
            images = (scaled - MEAN) / STD
            logits = network(images[:, None])
            writer.write_batch(_score(batch, logits))


def _decode(batch: pa.RecordBatch) -> Iterator[np.ndarray]:
    for content in batch.column("image"):
        source = pa.BufferReader(content.as_buffer())
        with PIL.Image.open(source) as image:
            yield np.asarray(image.convert("L"))


def _score(batch: pa.RecordBatch, logits: torch.Tensor) -> pa.RecordBatch:
    probability, best = torch.softmax(logits, 1).max(1)
    classes = best.numpy().astype(np.int32)
    columns = [batch.column("id"), pa.array(classes), pa.array(probability.numpy())]
    return pa.record_batch(columns, schema=SCHEMA)


def _load(package: Path) -> Network:
    network = build("cnn", PARAMETERS).eval()
    network.load_state_dict(load_file(package / "weights.safetensors"))

    def compute(images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = network(image=images)["logits"]
        return logits

    return compute


LOOPS: dict[str, Callable[[list[Path], Path, Path], None]] = {
    "plain": plain_loop,
    "best": best_loop,
    "best_of_engine": best_loop_of_engine,
}
