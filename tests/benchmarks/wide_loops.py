"""Loops without Beam over 200 columns of mixed types: pandas and scikit-learn as people write it, and the best one in Arrow and numpy."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from safetensors.torch import load_file
import torch

from tests.benchmarks.tabular_loops import SCHEMA
from tests.benchmarks.wide_data import (
    BOOLEANS,
    CATEGORIES,
    COLUMNS,
    DOUBLES,
    FLOATS,
    INTEGERS,
    ORDINALS,
    TRANSFORMER,
    WIDTH,
)

BATCH_ROWS = 16_384
MODEL_ROWS = 4_096


def plain_loop(shards: list[Path], package: Path, output: Path) -> None:
    """File by file: pandas reads, scikit-learn transforms, torch predicts, pandas writes; every option as it comes."""
    import pandas as pd

    transformer, network = _transformer(package), _network(package)
    for shard in shards:
        frame = pd.read_parquet(shard)
        x = transformer.transform(frame)
        with torch.no_grad():
            probability = torch.sigmoid(network(torch.tensor(x, dtype=torch.float32)))[:, 0]
        scores = pd.DataFrame({"id": frame["id"], "probability": probability.numpy()})
        scores.to_parquet(output / shard.name, compression="zstd", index=False)


def best_loop(shards: list[Path], package: Path, output: Path) -> None:
    """Two threads over memory-mapped files, each with one buffer in the network's own layout that every column is written into."""
    torch.set_num_threads(1)
    network, fitted = _network(package), _fitted(_transformer(package))
    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(
                lambda shard: _score_shard(shard, network, fitted, output / shard.name), shards
            )
        )


# Of one column: the buffer rows that it fills, and what it puts there.
Fitted = list[tuple[str, int, int, Callable[[pa.Array, np.ndarray], None]]]


def _fitted(transformer: object) -> Fitted:
    """One function per column, with the numbers that scikit-learn found."""
    parts = transformer.named_transformers_
    makers: dict[str, Callable[[pa.Array, np.ndarray], None]] = {}
    for part, names in (("floats", (*DOUBLES, *FLOATS)), ("integers", INTEGERS)):
        imputer, scaler = parts[part]
        for i, name in enumerate(names):
            makers[name] = _number(imputer.statistics_[i], scaler.mean_[i], scaler.scale_[i])
    imputer, encoder = parts["categories"]
    for i, name in enumerate(CATEGORIES):
        makers[name] = _one_hot(encoder.categories_[i], imputer.statistics_[i])
    imputer, encoder, scaler = parts["ordinals"]
    for i, name in enumerate(ORDINALS):
        makers[name] = _ordinal(
            encoder.categories_[i], imputer.statistics_[i], scaler.mean_[i], scaler.scale_[i]
        )
    makers |= dict.fromkeys(BOOLEANS, _boolean)
    widths = [8 if name in CATEGORIES else 1 for name in COLUMNS]
    starts = np.cumsum([0, *widths])
    return [
        (name, int(at), width, makers[name])
        for name, at, width in zip(COLUMNS, starts, widths, strict=False)
    ]


def _number(fill: float, mean: float, scale: float) -> Callable[[pa.Array, np.ndarray], None]:
    instead = np.float32((fill - mean) / scale)

    def write(column: pa.Array, rows: np.ndarray) -> None:
        values = column.to_numpy(zero_copy_only=False)  # NaN where missing
        np.subtract(values, values.dtype.type(mean), out=rows[0], casting="same_kind")
        rows[0] *= np.float32(1.0 / scale)
        np.copyto(rows[0], instead, where=np.isnan(rows[0]))

    return write


def _one_hot(categories: np.ndarray, fill: str) -> Callable[[pa.Array, np.ndarray], None]:
    numbers = np.arange(len(categories), dtype=np.int8)[:, None]

    def write(column: pa.Array, rows: np.ndarray) -> None:
        np.equal(_codes(column, categories, fill), numbers, out=rows, casting="unsafe")

    return write


def _ordinal(
    categories: np.ndarray, fill: str, mean: float, scale: float
) -> Callable[[pa.Array, np.ndarray], None]:
    standardised = ((np.arange(-1, len(categories)) - mean) / scale).astype(np.float32)

    def write(column: pa.Array, rows: np.ndarray) -> None:
        np.take(standardised, _codes(column, categories, fill) + 1, out=rows[0])

    return write


def _boolean(column: pa.Array, rows: np.ndarray) -> None:
    rows[0] = column.to_numpy(zero_copy_only=False)


def _codes(column: pa.DictionaryArray, categories: np.ndarray, fill: str) -> np.ndarray:
    """Number of each value's category, int8; -1 where there is none. The file's own dictionary is looked up, not every row."""
    places = {name: place for place, name in enumerate(categories)}
    lookup = np.array(
        [*(places.get(name, -1) for name in column.dictionary.to_pylist()), places[fill]],
        dtype=np.int8,
    )
    return lookup[pc.fill_null(column.indices, len(lookup) - 1).to_numpy()]


@torch.inference_mode()
def _score_shard(shard: Path, network: torch.nn.Module, fitted: Fitted, path: Path) -> None:
    buffer = np.empty((WIDTH, BATCH_ROWS), np.float32)
    rows_view = torch.from_numpy(buffer).T
    with pq.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=False) as writer:
        for batch in _read(shard):
            for name, at, width, write in fitted:
                write(batch.column(name), buffer[at : at + width, : batch.num_rows])
            logit = torch.cat(
                [network(x) for x in torch.split(rows_view[: batch.num_rows], MODEL_ROWS)]
            )
            probability = torch.sigmoid(logit[:, 0]).numpy()
            writer.write_batch(
                pa.record_batch([batch.column("id"), pa.array(probability)], schema=SCHEMA)
            )


def _read(shard: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(shard, memory_map=True, read_dictionary=[*CATEGORIES, *ORDINALS]) as file:
        yield from file.iter_batches(BATCH_ROWS, use_threads=False)


def _transformer(package: Path) -> object:
    return pickle.loads((package.parent / TRANSFORMER).read_bytes())


def _network(package: Path) -> torch.nn.Module:
    tensors = load_file(package / "weights.safetensors")
    weights = {name.removeprefix("layers."): tensor for name, tensor in tensors.items()}
    first, last = weights["0.weight"], weights["2.weight"]
    network = torch.nn.Sequential(
        torch.nn.Linear(*first.T.shape), torch.nn.ReLU(), torch.nn.Linear(*last.T.shape)
    )
    network.load_state_dict(weights)
    return network.eval()


LOOPS: dict[str, Callable[[list[Path], Path, Path], None]] = {
    "plain": plain_loop,
    "best": best_loop,
}
