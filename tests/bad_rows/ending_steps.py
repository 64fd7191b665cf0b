"""A user's functions that raise what is no `Exception`, on the rows of odd numbers or at once."""

import sys

import numpy as np
import pyarrow as pa


class Panic(BaseException):
    """As libraries in Rust raise it."""


def _odd(rows: pa.RecordBatch) -> bool:
    return bool((rows.column("a").to_numpy() % 2 == 1).any())


def exits(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if _odd(rows):
        sys.exit(0)
    return {}


def panics(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if _odd(rows):
        raise Panic("at 'secret'")
    return {}


def recurses(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    return recurses(rows) if _odd(rows) else {}


def fills_memory(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if _odd(rows):
        raise MemoryError
    return {}


def interrupts(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    if _odd(rows):
        raise KeyboardInterrupt
    return {}


def always_exits(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    sys.exit(0)
