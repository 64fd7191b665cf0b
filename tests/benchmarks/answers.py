"""Whether two programs gave the same answers: every row once, and scores that are close enough for their kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
import sys
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Figures = dict[str, float]


@dataclass(frozen=True)
class Limit:
    """How bad a figure may be."""

    which: Literal["at most", "at least"]
    value: float

    def holds(self, figure: float) -> bool:
        """Never for NaN."""
        return figure <= self.value if self.which == "at most" else figure >= self.value


@dataclass(frozen=True)
class Agreement:
    """What is compared.

    Attributes:
        columns: the score columns that every program writes beside `id`.
        figures: expected and found answers, rows in the same order -> figures by name.
        limits: how bad each figure may be.
    """

    columns: tuple[str, ...]
    figures: Callable[[pa.Table, pa.Table], Figures]
    limits: Mapping[str, Limit]

    def worst(self, one: Figures, other: Figures) -> Figures:
        """The worse of two measurements, figure by figure."""
        return {
            n: (max if self.limits[n].which == "at most" else min)(one[n], other[n]) for n in one
        }


def written_files(output: Path) -> list[Path]:
    """The Parquet files of a run: where the pipeline published them, or in the folder itself."""
    current = output / "current"
    return sorted((current if current.exists() else output).glob("*.parquet"))


def check_answers(
    reference: Path, actual: Path, name: str, rows: int, compared_rows: int, agreement: Agreement
) -> Figures:
    """Compare row counts, and the scores of the first `compared_rows` ids; return the figures.

    Raises:
        SystemExit: a row is missing, twice or different.
    """
    count = sum(pq.read_metadata(path).num_rows for path in written_files(actual))
    if count != rows:
        sys.exit(f"{name} wrote {count:,} rows, expected {rows:,}")
    expected, found = (
        _first_rows(folder, compared_rows, agreement.columns) for folder in (reference, actual)
    )
    if not found.column("id").equals(expected.column("id")):
        sys.exit(f"{name}: ids of the first {compared_rows:,} rows are not those of the input")
    figures = agreement.figures(expected, found) if compared_rows else {}
    for figure, value in figures.items():
        limit = agreement.limits[figure]
        if not limit.holds(value):
            sys.exit(f"{name}: {figure} is {value:.6g}, must be {limit.which} {limit.value:g}")
    return figures


def _first_rows(output: Path, rows: int, columns: tuple[str, ...]) -> pa.Table:
    wanted = ["id", *columns]
    parts = [
        pq.read_table(path, columns=wanted, filters=[("id", "<", rows)])
        for path in written_files(output)
    ]
    schema = parts[
        0
    ].schema.remove_metadata()  # pandas, Spark and this program leave notes of their own there
    return pa.concat_tables([p.cast(schema) for p in parts]).combine_chunks().sort_by("id")


def _probabilities(expected: pa.Table, found: pa.Table) -> Figures:
    difference = np.abs(
        found.column("probability").to_numpy() - expected.column("probability").to_numpy()
    )
    return {"largest difference": float(difference.max(initial=0.0))}


def _classes(expected: pa.Table, found: pa.Table) -> Figures:
    same = found.column("class").to_numpy() == expected.column("class").to_numpy()
    return {"top-1": float(same.mean()), **_probabilities(expected, found)}


def _embeddings(expected: pa.Table, found: pa.Table) -> Figures:
    a, b = (
        np.stack(t.column("embedding").to_numpy(zero_copy_only=False)).astype(np.float64)
        for t in (expected, found)
    )
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return {"least cosine": float(cosine.min(initial=1.0))}


PROBABILITIES = Agreement(
    ("probability",), _probabilities, {"largest difference": Limit("at most", 1e-5)}
)
CLASSES = Agreement(
    ("class", "probability"),
    _classes,
    {"top-1": Limit("at least", 0.995), "largest difference": Limit("at most", 1.0)},
)
EMBEDDINGS = Agreement(("embedding",), _embeddings, {"least cosine": Limit("at least", 0.999)})
