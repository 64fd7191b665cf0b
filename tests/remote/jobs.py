"""Jobs whose model is in a real server: rows, the job's file, and the scores that a plain loop computes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import json
from pathlib import Path
import threading
from typing import Any

import numpy as np
import pyarrow as pa

from tests.remote.servers import RealServer
from tests.support.jobs import write_job, write_parquet

NAMES = ("age", "income", "visits", "tenure", "debt")
COLUMNS = len(NAMES)


def write_rows(folder: Path, rows: int, shards: int = 2, row_group_rows: int = 100_000) -> None:
    """Write rows of random numbers with a key `id` into shards of the same size.

    Args:
        folder: of the job; they go into its `shards/`.
        rows: in all.
        shards: how many files.
        row_group_rows: of each file's row groups.
    """
    features = random_features(rows)
    for number, places in enumerate(np.array_split(np.arange(rows), shards)):
        columns = {name: features[places, at] for at, name in enumerate(NAMES)}
        table = pa.table({"id": places, **columns})
        path = folder / "shards" / f"{number:03}.parquet"
        write_parquet(path, table, row_group_size=row_group_rows)


def random_features(rows: int) -> np.ndarray:
    """Return the rows (rows, 5) that `write_rows` writes, float32."""
    return np.random.default_rng(7).normal(size=(rows, COLUMNS)).astype(np.float32)


def reference(features: np.ndarray, fitted: Path) -> np.ndarray:
    """Return the probability of each row: one dot product.

    Args:
        features: (rows, 5).
        fitted: file of `weights` and `bias`.
    """
    weights = json.loads(fitted.read_text())
    logits = features.astype(np.float64) @ weights["weights"] + weights["bias"]
    return 1 / (1 + np.exp(-logits))


def write_fitted(path: Path, columns: int = COLUMNS, hidden: int = 0) -> Path:
    """Write weights that servers load.

    Args:
        path: of the file.
        columns: of the input `features`.
        hidden: numbers in each of two layers between, for a model that costs something.
    """
    weights = np.linspace(-1, 1, columns).tolist()
    path.write_text(json.dumps({"weights": weights, "bias": 0.25, "hidden": hidden}))
    return path


def address(server: RealServer, protocol: str) -> str:
    """Return a server's URL for a protocol."""
    return server.grpc_url if protocol.endswith("grpc") else server.http_url


def write_remote_job(folder: Path, server: RealServer, protocol: str, /, **fields: Any) -> Path:
    """Write a job that names the server's model `churn`, and no package.

    Args:
        folder: where its file goes; it scores what lies in `shards/` there.
        server: that is asked.
        protocol: by which.
        fields: of its section `model`, to add or to replace.
    """
    model = {
        "engine": "remote",
        "protocol": protocol,
        "url": address(server, protocol),
        "name": "churn",
        "columns": dict.fromkeys(NAMES, "float"),
        "batch_rows": 64,
        **fields,
    }
    path = write_job(folder, "", model=model)
    job = json.loads(path.read_text())
    del job["model"]["package"]
    path.write_text(json.dumps(job))
    return path


@contextmanager
def once_some_are_done(output: Path, then: Callable[[], None]) -> Iterator[list[int]]:
    """Do something in another thread when some units are done and others are not; give how many were.

    Args:
        output: of the job that is run in this block.
        then: what is done.
    """
    done: list[int] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.005):
            count = len(list(output.glob("_tmp/*/done/*")))
            if count >= 2:
                done.append(count)
                then()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield done
    finally:
        is_over.set()
        thread.join()
