"""How many bytes the texts of a column may have, where a sample is all that is known of them."""

import pyarrow as pa
import pyarrow.compute as pc

# Rows that are not in the sample may have longer texts.
_TIMES_LONGEST = 2


def choose_text_length(column: pa.Array) -> int:
    """Return a power of two with room for longer texts than those of the sample."""
    texts = column.cast(pa.string())
    longest = pc.max(pc.binary_length(texts)).as_py() or 1
    fitting = _TIMES_LONGEST * int(longest)
    return 1 << (fitting - 1).bit_length()
