"""The loops of the CSV benchmark, as `loops.py` looks for them."""

from tests.benchmarks.lines_loops import CSV_LOOPS as LOOPS

__all__ = ["LOOPS"]
