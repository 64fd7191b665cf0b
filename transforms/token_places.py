"""Where the tokens of a batch's rows are in their texts.

Texts are cut into tokens once more where places are asked for: that takes far less than the network
does, and so no other run carries them along.
"""

import numpy as np
from pyarrow import RecordBatch, Table

from model_zoo.steps.tokenize import TokenText, locate_tokens
from transforms.scores.tokens import Places


def find_places(
    rows: RecordBatch | Table,
    lengths: np.ndarray,
    text: TokenText | None,
) -> Places:
    """Return where the tokens are.

    Args:
        rows: with the column of texts.
        lengths: int64 (rows,), tokens of each row, as the network took them.
        text: that they were cut from; None where nobody asks, or where they are of no text.
    """
    if text is None:
        return Places(lengths)
    step = text.step
    texts = rows.column(step.column)
    # A missing text has a place among the others; without a fill its row is rejected.
    fill = text.fill or ""
    filled = [fill if value is None else value for value in texts.to_pylist()]
    found = locate_tokens(filled, step)
    # The same text and the same tokenizer: anything else is this program's mistake.
    assert np.array_equal(found.counts, lengths), step.column  # noqa: S101 - as above
    return Places(lengths, found.starts, found.ends, found.is_added)
