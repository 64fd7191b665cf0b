"""Rows that a network may be trained on, wherever they are from."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Source:
    """Rows that a network may be trained on.

    Attributes:
        rows: all columns.
        name: where they are from, in words.
        notes: what was left out, in words.
        part: int64 (rows,), where files of their own say the part of a row: 0 for training, 1 for
            validation, 2 for the test; None where they do not.
    """

    rows: pa.Table
    name: str
    notes: tuple[str, ...] = ()
    part: np.ndarray | None = None
