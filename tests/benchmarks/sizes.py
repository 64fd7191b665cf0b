"""How much each workload does, as the command line says."""

from dataclasses import dataclass
from pathlib import Path

CONTENDERS = (
    "pipeline",
    "untuned",
    "auto",
    "plain",
    "best",
    "best_of_engine",
    "tuned",
    "pandas",
    "pyarrow",
    "polars",
    "duckdb",
    "ray",
    "daft",
    "spark",
    "stock",
)
MANY = 64  # rows of a batch where there are many


@dataclass(frozen=True)
class Sizes:
    """Rows of each workload, and of the engines in it.

    Attributes:
        folder: where inputs and packages are made once, and kept.
        wanted: names of the contenders that run.
        shards: files of the tabular and wide workloads.
        memory: also run the tabular pipeline on four times the rows.
    """

    folder: Path
    wanted: tuple[str, ...]
    shards: int
    tabular_rows: int
    engine_rows: int
    stock_rows: int
    wide_rows: int
    line_rows: int
    images: int
    digits: int
    texts: int
    tiny_shards: int
    batches: int
    memory: bool
