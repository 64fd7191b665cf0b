"""Loops without Beam that do the pipeline's work: the one that people write, the best one, and that one with the pipeline's own tricks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import load_file
import torch

from tests.benchmarks.tabular_data import COLUMNS

BATCH_ROWS = 65_536
MODEL_ROWS = 4_096  # a hidden layer of 1 MiB stays in the cache; all 65 536 rows at once take 1.5 times as long
ENGINE_ROWS = 65_536  # what other engines are told to hand over at once
READ = ("id", *COLUMNS)
SCHEMA = pa.schema([("id", pa.int64()), ("probability", pa.float32())])


def scorer(package: Path) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """What people do with a batch: the columns side by side in a (rows, columns) array, the network, its probability."""
    network = load_network(package)

    @torch.inference_mode()
    def score(batch: pa.RecordBatch) -> pa.RecordBatch:
        x = np.empty((batch.num_rows, len(COLUMNS)), np.float32)
        for i, name in enumerate(COLUMNS):
            x[:, i] = batch.column(name).to_numpy()
        probability = torch.sigmoid(network(torch.from_numpy(x)))[:, 0]
        return pa.record_batch([batch.column("id"), pa.array(probability.numpy())], schema=SCHEMA)

    return score


def plain_loop(shards: list[Path], package: Path, output: Path) -> None:
    """File by file, batch by batch; every option as pyarrow and torch have it."""
    score = scorer(package)
    for shard in shards:
        with pq.ParquetWriter(output / shard.name, SCHEMA, compression="zstd") as writer:
            for batch in pq.ParquetFile(shard).iter_batches(BATCH_ROWS):
                writer.write_batch(score(batch))


def best_loop(shards: list[Path], package: Path, output: Path) -> None:
    """Two threads over memory-mapped files; each fills a (columns, rows) buffer, passes its transpose, and writes as pyarrow does."""
    torch.set_num_threads(1)
    network = load_network(package)
    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(
                lambda shard: _score_shard(
                    shard, network, output / shard.name, BATCH_ROWS, dictionaries=True
                ),
                shards,
            )
        )


def tuned_loop(shards: list[Path], package: Path, output: Path) -> None:
    """The best loop, with mini-batches that stay in the cache, and without dictionaries in what it writes."""
    torch.set_num_threads(1)
    network = load_network(package)
    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(
                lambda shard: _score_shard(
                    shard, network, output / shard.name, MODEL_ROWS, dictionaries=False
                ),
                shards,
            )
        )


@torch.inference_mode()
def _score_shard(
    shard: Path, network: torch.nn.Module, path: Path, model_rows: int, dictionaries: bool
) -> None:
    buffer = np.empty((len(COLUMNS), BATCH_ROWS), np.float32)
    rows_view = torch.from_numpy(buffer).T
    with (
        pq.ParquetFile(shard, memory_map=True) as file,
        pq.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=dictionaries) as writer,
    ):
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            for i, name in enumerate(COLUMNS):
                buffer[i, : batch.num_rows] = batch.column(name).to_numpy()
            logit = torch.cat(
                [network(x) for x in torch.split(rows_view[: batch.num_rows], model_rows)]
            )
            probability = torch.sigmoid(logit[:, 0]).numpy()
            writer.write_batch(
                pa.record_batch([batch.column("id"), pa.array(probability)], schema=SCHEMA)
            )


def load_network(package: Path) -> torch.nn.Module:
    """The package's MLP as plain torch layers: its four tensors, in the order of the layers."""
    tensors = load_file(package / "weights.safetensors")
    weights = sorted((t for t in tensors.values() if t.ndim == 2), key=len, reverse=True)
    biases = sorted((t for t in tensors.values() if t.ndim == 1), key=len, reverse=True)
    network = torch.nn.Sequential(
        torch.nn.Linear(*weights[0].T.shape), torch.nn.ReLU(), torch.nn.Linear(*weights[1].T.shape)
    )
    network.load_state_dict(
        {"0.weight": weights[0], "0.bias": biases[0], "2.weight": weights[1], "2.bias": biases[1]}
    )
    return network.eval()


LOOPS: dict[str, Callable[[list[Path], Path, Path], None]] = {
    "plain": plain_loop,
    "best": best_loop,
    "tuned": tuned_loop,
}
