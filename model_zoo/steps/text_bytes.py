"""Step `text_bytes`: texts as bytes of UTF-8, which a model's own library makes texts of again.

    "ab", missing, "é"  --  length 3  ->  97 98 255     254 255 255     195 169 255

A model that takes texts gets arrays of numbers as any other does; 254 and 255 are in no text of UTF-8.
"""

from typing import Literal

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from model_zoo.steps.arrays import get_column, reject_where
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.step import Length, StepModel, Widths

MISSING = 254
END = 255


class TextBytes(StepModel):
    """Make a column of texts an array uint8 (rows, length), with 255 behind the end of each.

    A text that is missing is 254 alone; one of more than `length` bytes rejects its row.
    """

    step: Literal["text_bytes"]
    column: str
    length: Length

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the array, under the column's name.

        Raises:
            RejectedRows: rows with a longer text.
            JobError: the column holds no texts.
        """
        texts = self._take_texts(columns)
        ends = np.frombuffer(texts.buffers()[1], np.int64)
        ends = ends[texts.offset : texts.offset + len(texts) + 1]
        lengths = np.diff(ends)
        is_longer = lengths > self.length
        reject_where(
            is_longer, f"column {self.column!r}: a text of more than {self.length:,} bytes"
        )
        spread = np.full((len(texts), self.length), END, np.uint8)
        places = np.arange(self.length)
        is_filled = places < lengths[:, None]
        content = texts.buffers()[2]
        if content is not None:
            # numpy takes the true places row by row, which is the order of the texts.
            spread[is_filled] = np.frombuffer(content, np.uint8)[ends[0] : ends[-1]]
        spread[self._find_missing(columns), 0] = MISSING
        return {self.column: spread}

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        return {self.column: self.length}

    def _find_missing(self, columns: Columns) -> np.ndarray:
        column: pa.Array = columns[self.column]
        missing: np.ndarray = column.is_null().to_numpy(zero_copy_only=False)
        return missing

    def _take_texts(self, columns: Columns) -> pa.Array:
        """Return the texts as bytes, those that are missing as none."""
        column = get_column(columns, self.column, self.step)
        kind = "array" if isinstance(column, np.ndarray) else str(column.type)
        if isinstance(column, np.ndarray) or kind not in ("string", "large_string"):
            raise JobError(
                f"preprocess step text_bytes: column {self.column!r} is of type {kind}, and no texts"
            )
        return column.fill_null("").cast(pa.large_binary())
