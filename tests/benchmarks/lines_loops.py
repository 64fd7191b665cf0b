"""Loops without Beam over CSV and JSON lines: each with one reader and one thread, as people write them, and with both cores."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq
import torch

from tests.benchmarks.tabular_data import COLUMNS
from tests.benchmarks.tabular_loops import MODEL_ROWS, SCHEMA, load_network

_CORES = 2
_ROWS = 65_536
# What pyarrow reads at once: some thousand rows.
_BLOCK_BYTES = 8 << 20
# Every reader is told the types, which saves it a look at the first rows.
_TYPES = {"id": pa.int64(), **dict.fromkeys(COLUMNS, pa.float32())}
# A file's rows, some thousand at a time.
Read = Callable[[Path], Iterable[pa.RecordBatch]]


def _score_file(path: Path, network: torch.nn.Module, output: Path, read: Read) -> None:
    target = output / f"{path.stem}.parquet"
    with pq.ParquetWriter(target, SCHEMA, compression="zstd", use_dictionary=False) as writer:
        for batch in read(path):
            writer.write_batch(_score(batch, network))


@torch.inference_mode()
def _score(batch: pa.RecordBatch, network: torch.nn.Module) -> pa.RecordBatch:
    x = np.empty((len(COLUMNS), batch.num_rows), np.float32)
    for i, name in enumerate(COLUMNS):
        x[i] = batch.column(name).to_numpy(zero_copy_only=False)
    rows = torch.from_numpy(x).T
    logit = torch.cat([network(part) for part in torch.split(rows, MODEL_ROWS)])
    probability = torch.sigmoid(logit[:, 0]).numpy()
    return pa.record_batch([batch.column("id"), pa.array(probability)], schema=SCHEMA)


def _one_thread(read: Read) -> Callable[[list[Path], Path, Path], None]:
    def loop(files: list[Path], package: Path, output: Path) -> None:
        torch.set_num_threads(1)
        network = load_network(package)
        for path in files:
            _score_file(path, network, output, read)

    return loop


def _two_threads(read: Read, read_alone: Read) -> Callable[[list[Path], Path, Path], None]:
    """Files side by side; of a single one, its reader has the threads."""

    def loop(files: list[Path], package: Path, output: Path) -> None:
        torch.set_num_threads(1)
        network = load_network(package)
        if len(files) == 1:
            _score_file(files[0], network, output, read_alone)
            return
        with ThreadPoolExecutor(_CORES) as threads:
            waiting = [threads.submit(_score_file, f, network, output, read) for f in files]
            for done in waiting:
                done.result()

    return loop


def _read_csv_pyarrow(path: Path, use_threads: bool = False) -> Iterator[pa.RecordBatch]:
    read = pacsv.ReadOptions(use_threads=use_threads, block_size=_BLOCK_BYTES)
    convert = pacsv.ConvertOptions(column_types=_TYPES)
    yield from pacsv.open_csv(path, read, convert_options=convert)


def _read_csv_threaded(path: Path) -> Iterator[pa.RecordBatch]:
    return _read_csv_pyarrow(path, use_threads=True)


def _read_csv_pandas(path: Path) -> Iterator[pa.RecordBatch]:
    import pandas as pd

    types = {"id": "int64", **dict.fromkeys(COLUMNS, "float32")}
    for frame in pd.read_csv(path, dtype=types, chunksize=_ROWS):
        yield pa.RecordBatch.from_pandas(frame, preserve_index=False)


def _polars(threads: int) -> object:
    """Return Polars, which reads how many threads it may have when it is imported."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars

    return polars


def _read_csv_polars(path: Path) -> Iterator[pa.RecordBatch]:
    pl = _polars(1)
    types = {"id": pl.Int64, **dict.fromkeys(COLUMNS, pl.Float32)}  # type: ignore[attr-defined]
    frame = pl.read_csv(path, schema=types)  # type: ignore[attr-defined]
    yield from frame.to_arrow().to_batches(_ROWS)


def _read_json_pyarrow(path: Path) -> Iterator[pa.RecordBatch]:
    read = pajson.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
    parse = pajson.ParseOptions(explicit_schema=pa.schema(_TYPES))
    yield from pajson.open_json(path, read, parse)


def _read_json_polars(path: Path, threads: int = 1) -> Iterator[pa.RecordBatch]:
    pl = _polars(threads)
    types = {"id": pl.Int64, **dict.fromkeys(COLUMNS, pl.Float32)}  # type: ignore[attr-defined]
    frame = pl.read_ndjson(path, schema=types)  # type: ignore[attr-defined]
    yield from frame.to_arrow().to_batches(_ROWS)


def _read_json_polars_threaded(path: Path) -> Iterator[pa.RecordBatch]:
    return _read_json_polars(path, _CORES)


def _read_json_duckdb(path: Path) -> Iterator[pa.RecordBatch]:
    import duckdb

    columns = ", ".join(f"{name}: 'FLOAT'" for name in COLUMNS)
    connection = duckdb.connect(config={"threads": 1})
    query = (
        "SELECT * FROM read_json(?, format='newline_delimited', "
        f"columns={{id: 'BIGINT', {columns}}})"
    )
    found = connection.sql(query, params=[str(path)])
    yield from found.to_arrow_reader(_ROWS)


CSV_LOOPS = {
    "pyarrow": _one_thread(_read_csv_pyarrow),
    "pandas": _one_thread(_read_csv_pandas),
    "polars": _one_thread(_read_csv_polars),
    "best": _two_threads(_read_csv_pyarrow, _read_csv_threaded),
}
JSON_LOOPS = {
    "pyarrow": _one_thread(_read_json_pyarrow),
    "polars": _one_thread(_read_json_polars),
    "duckdb": _one_thread(_read_json_duckdb),
    "best": _two_threads(_read_json_polars_threaded, _read_json_polars_threaded),
}
