"""Loops without Beam over texts: transformers in float32 as people write it, and the best one, which computes for almost no padding."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import AutoTokenizer, BertModel

from tests.benchmarks.engine_loops import is_tuned, load_tuned
from tests.benchmarks.machine import cpu_flags
from tests.benchmarks.text_data import MAX_TOKENS, WIDTH, model_folder

BATCH_ROWS = 32
ENGINE_ROWS = 32
READ = ("id", "text")
SCHEMA = pa.schema([("id", pa.int64()), ("embedding", pa.list_(pa.float32(), WIDTH))])


def scorer(package: Path) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """What people do with a batch: tokenize it, pad to its longest text, the network as it comes, mean of the tokens, normalised."""
    tokenizer, network = (
        AutoTokenizer.from_pretrained(model_folder()),
        BertModel.from_pretrained(model_folder()).eval(),
    )

    @torch.no_grad()
    def score(batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch.column("text").to_pylist()
        tokens = tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        return _rows(batch.column("id"), _embedding(network, tokens).numpy())

    return score


def plain_loop(shards: list[Path], package: Path, output: Path) -> None:
    """File by file, in batches of 32 in the order of the input; every option as it comes."""
    score = scorer(package)
    for shard in shards:
        rows = pq.read_table(shard).combine_chunks().to_batches()
        parts = [
            score(batch.slice(start, BATCH_ROWS))
            for batch in rows
            for start in range(0, batch.num_rows, BATCH_ROWS)
        ]
        pq.write_table(
            pa.Table.from_batches(parts, schema=SCHEMA), output / shard.name, compression="zstd"
        )


def best_loop(shards: list[Path], package: Path, output: Path) -> None:
    """Two threads; texts of one length together; bfloat16 where the processor multiplies it."""
    torch.set_num_threads(1)
    dtype = torch.bfloat16 if cpu_flags() & {"amx_bf16", "avx512_bf16"} else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    network = BertModel.from_pretrained(model_folder(), add_pooling_layer=False).eval().to(dtype)
    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(
                lambda shard: _score_shard(
                    shard, tokenizer, partial(_embedding, network), output / shard.name
                ),
                shards,
            )
        )


def best_loop_of_engine(shards: list[Path], package: Path, output: Path) -> None:
    """The best loop, its network computed by the engine and in the precision that tuning found fastest."""
    if not is_tuned(package):
        best_loop(shards, package, output)
        return
    compute = load_tuned(package)
    tokenizer = AutoTokenizer.from_pretrained(model_folder())

    def embed(tokens: dict[str, torch.Tensor]) -> torch.Tensor:
        names = ("input_ids", "attention_mask")
        return torch.from_numpy(compute({name: tokens[name].numpy() for name in names}))

    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(
                lambda shard: _score_shard(shard, tokenizer, embed, output / shard.name), shards
            )
        )


@torch.inference_mode()
def _score_shard(
    shard: Path,
    tokenizer: Callable,
    embed: Callable[[dict[str, torch.Tensor]], torch.Tensor],
    path: Path,
) -> None:
    table = pq.read_table(shard, use_threads=False).combine_chunks()
    tokens = tokenizer(table.column("text").to_pylist(), truncation=True, max_length=MAX_TOKENS)[
        "input_ids"
    ]
    order = np.argsort([len(t) for t in tokens], kind="stable")
    embeddings = np.empty((len(tokens), WIDTH), np.float32)
    for places in np.split(order, range(BATCH_ROWS, len(order), BATCH_ROWS)):
        padded = tokenizer.pad({"input_ids": [tokens[i] for i in places]}, return_tensors="pt")
        embeddings[places] = embed(padded).numpy()
    pq.write_table(
        pa.Table.from_batches([_rows(table.column("id").chunk(0), embeddings)]),
        path,
        compression="zstd",
    )


def _embedding(network: torch.nn.Module, tokens: dict[str, torch.Tensor]) -> torch.Tensor:
    """The mean of the tokens' vectors, of length 1, as the model's card shows it."""
    mask = tokens["attention_mask"][:, :, None].float()
    values = network(
        input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
    ).last_hidden_state.float()
    return torch.nn.functional.normalize((values * mask).sum(1) / mask.sum(1), dim=1)


def _rows(ids: pa.Array, embeddings: np.ndarray) -> pa.RecordBatch:
    lists = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.reshape(-1)), WIDTH)
    return pa.record_batch([ids, lists], schema=SCHEMA)


LOOPS: dict[str, Callable[[list[Path], Path, Path], None]] = {
    "plain": plain_loop,
    "best": best_loop,
    "best_of_engine": best_loop_of_engine,
}
