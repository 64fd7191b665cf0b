"""The loops of the benchmark of JSON lines, as `loops.py` looks for them."""

from tests.benchmarks.lines_loops import JSON_LOOPS as LOOPS

__all__ = ["LOOPS"]
