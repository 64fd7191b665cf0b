"""Texts of about the same length together: what is padded to the longest text of a mini-batch is mostly work for nothing.

    lengths 3 40 9 5 | 12 60 4 33     two mini-batches in input order, padded to 40 and 60
    3 4 | 5 | 9 12 | 33 | 40 | 60      by length: padded to 4, 8, 12, 36, 40 and 60

A row's padding depends on its own length alone (the next multiple of 4), not on its neighbours. Every mini-batch has about the same
number of tokens, so short texts go many at a time. Scores come back in the order of the rows.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from configs.errors import ModelError
from model_zoo.card import ModelCard
from model_zoo.mini_batches import FailedRows

Arrays = dict[str, np.ndarray]
_MULTIPLE = 4


def score_by_length(score: Callable[[Arrays, int], Arrays], card: ModelCard, inputs: Arrays, slots: int) -> Arrays:
    """Score rows, those of about the same length together.

    Args:
        score: called with arrays of rows of one length, and how many of them make a mini-batch.
        card: names the input that is the mask, int (rows, tokens): 1 for tokens, 0 for the padding behind them.
        inputs: one array (rows, *shape) per input; those with a token axis are cut to what their rows need.
        slots: rows of a mini-batch of the longest texts; of shorter ones there are as many more as there is room for.

    Returns:
        One array (rows, *shape) per output, in the order of the rows.

    Raises:
        FailedRows: `score` failed on some rows.
    """
    mask = inputs[str(card.mask)]
    longest, with_tokens = mask.shape[1], _with_tokens(card)
    outputs = {name: np.empty((len(mask), *t.shape), dtype=t.dtype) for name, t in card.outputs.items()}
    reasons: dict[int, Exception] = {}
    for positions, tokens in _groups(mask):
        here = {name: a[positions, :tokens] if name in with_tokens else a[positions] for name, a in inputs.items()}
        try:
            scored: Mapping[str, np.ndarray] = score(here, _slots(len(positions), slots * longest // tokens))
        except FailedRows as failed:
            scored = failed.outputs
            reasons |= {int(positions[row]): reason for row, reason in failed.reasons.items()}
        for name, values in scored.items():
            outputs[name][positions] = values
    if reasons:
        raise FailedRows(reasons, outputs)
    return outputs


def cut_to_longest(card: ModelCard, inputs: Arrays) -> Arrays:
    """The same rows, with as many tokens as the longest of them has; as they are when the model has no mask."""
    if card.mask is None:
        return inputs
    tokens = max(1, int(_lengths(inputs[card.mask]).max()))
    return {name: a[:, :tokens] if name in _with_tokens(card) else a for name, a in inputs.items()}


def _with_tokens(card: ModelCard) -> set[str]:
    """Inputs that have a number, or a few, for each token."""
    longest = card.inputs[str(card.mask)].shape[0]
    return {name for name, tensor in card.inputs.items() if tensor.shape[:1] == (longest,)}


def _groups(mask: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Positions of rows that are padded to the same number of tokens, and that number; the longest first, as their memory is largest."""
    lengths = _lengths(mask)
    padded = np.minimum(np.maximum(1, -(-lengths // _MULTIPLE)) * _MULTIPLE, mask.shape[1])
    for tokens in np.unique(padded)[::-1].tolist():
        yield np.flatnonzero(padded == tokens), tokens


def _lengths(mask: np.ndarray) -> np.ndarray:
    """Tokens of each row, int64 (rows,)."""
    lengths = np.count_nonzero(mask, axis=1)
    if not np.array_equal(mask != 0, np.arange(mask.shape[1]) < lengths[:, None]):
        raise ModelError("the model's mask has padding before or between tokens; it must be behind them")
    return lengths


def _slots(rows: int, most: int) -> int:
    """Rows of a group's mini-batches: as few mini-batches as there must be, and all about equally full, so that few slots stay empty."""
    return -(-rows // -(-rows // most))
