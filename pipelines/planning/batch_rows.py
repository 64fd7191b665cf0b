"""How large a row of a model's input is, and how many make a mini-batch where nobody says it."""

import math

import numpy as np

from model_zoo.package.card import ModelCard

# What stays in a core's cache, and is large enough that the calls do not count.
_MINI_BATCH_BYTES = 512 << 10
# The same of texts, whose intermediate values are many times their input.
_MINI_BATCH_TOKENS = 4096
_FEWEST_ROWS = 32
_MOST_ROWS = 4096


def default_batch_rows(card: ModelCard) -> int:
    """Return the rows of a mini-batch where the job names none."""
    if card.mask is not None:
        tokens = card.inputs[card.mask].shape[0]
        return max(1, _MINI_BATCH_TOKENS // tokens)
    row_bytes = bytes_per_row(card)
    fitting = max(1, _MINI_BATCH_BYTES // row_bytes)
    # The power of two below: libraries' kernels come in blocks of such sizes.
    exponent = fitting.bit_length() - 1
    power_of_two = 1 << exponent
    at_least = max(_FEWEST_ROWS, power_of_two)
    return min(_MOST_ROWS, at_least)


def bytes_per_row(card: ModelCard) -> int:
    """Return the size of a row of network input."""
    row_bytes = 0
    for tensor in card.inputs.values():
        number_bytes = np.dtype(tensor.dtype).itemsize
        row_bytes += number_bytes * math.prod(tensor.shape)
    # 1 at least, as sizes are divided by it.
    return max(1, row_bytes)
