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

# Arrow's names of the types that are taken.
_TEXTS = ("string", "large_string")
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
        _, offsets, content = texts.buffers()
        first = texts.offset
        behind = first + len(texts) + 1
        # Where each text begins, and behind the last one where that ends.
        all_ends = np.frombuffer(offsets, np.int64)
        ends = all_ends[first:behind]
        lengths = np.diff(ends)
        longest = self.length
        is_longer = lengths > longest
        reject_where(is_longer, f"column {self.column!r}: a text of more than {longest:,} bytes")

        shape = (len(texts), longest)
        spread = np.full(shape, END, np.uint8)
        places = np.arange(longest)
        is_filled = places < lengths[:, None]
        # Where all texts are empty, Arrow need not have a buffer for them.
        if content is not None:
            letters = np.frombuffer(content, np.uint8)
            begin, end = ends[0], ends[-1]
            # numpy takes the true places row by row, which is the order of the texts.
            spread[is_filled] = letters[begin:end]
        is_missing = self._find_missing(columns)
        spread[is_missing, 0] = MISSING
        return {self.column: spread}

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        return {self.column: self.length}

    def _find_missing(self, columns: Columns) -> np.ndarray:
        column: pa.Array = columns[self.column]
        nulls = column.is_null()
        missing: np.ndarray = nulls.to_numpy(zero_copy_only=False)
        return missing

    def _take_texts(self, columns: Columns) -> pa.Array:
        """Return the texts as bytes, those that are missing as none."""
        column = get_column(columns, self.column, self.step)
        # A step before has made numbers of it.
        if isinstance(column, np.ndarray):
            raise self._refuse("array")
        kind = str(column.type)
        if kind not in _TEXTS:
            raise self._refuse(kind)
        texts = column.fill_null("")
        # Offsets of 64 bits, however many bytes all texts have together.
        as_bytes = pa.large_binary()
        return texts.cast(as_bytes)

    def _refuse(self, kind: str) -> JobError:
        return JobError(
            f"preprocess step text_bytes: column {self.column!r} is of type {kind}, and no texts"
        )
