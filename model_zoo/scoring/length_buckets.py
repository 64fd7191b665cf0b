"""Score texts of about the same length together: padding all to the longest text is wasted work.

    lengths 3 40 9 5 | 12 60 4 33     two mini-batches in input order, padded to 40 and 60
    3 4 | 5 | 9 12 | 33 | 40 | 60     by length: padded to 4, 8, 12, 36, 40 and 60

A row's padding depends on its own length alone (the next multiple of 4), not on its neighbours.
Every mini-batch has about the same number of tokens, so short texts go many at a time. Scores come
back in the order of the rows.
"""

from collections.abc import Callable, Iterator

import numpy as np

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.package.card import ModelCard
from model_zoo.scoring.scored import Scored

# Finer buckets would save little padding and leave more mini-batches half empty.
_BUCKET_TOKENS = 4

# Called with rows of one length, and with how many of them make a mini-batch.
ScoreRows = Callable[[Arrays, int], Scored]


def score_by_length(
    score: ScoreRows,
    card: ModelCard,
    inputs: Arrays,
    batch_rows: int,
) -> Scored:
    """Score rows, those of about the same length together.

    Args:
        score: the network, in mini-batches.
        card: names the input that is the mask, int (rows, tokens): 1 for tokens, 0 for the padding
            behind them.
        inputs: one array (rows, *shape) per input; those with a token axis are cut to what their
            rows need.
        batch_rows: rows of a mini-batch of the longest texts; of shorter ones there are as many
            more as have room in the same number of tokens.

    Returns:
        What the network has to say about all rows, in their order.

    Raises:
        ModelError: a row has padding before or between its tokens.
    """
    mask = inputs[str(card.mask)]
    rows, longest = mask.shape
    # Without a row there is no group; the outputs still have names, dtypes and shapes.
    if rows == 0:
        return score(inputs, batch_rows)

    outputs = _allocate_outputs(card, rows)
    rejected: dict[int, Exception] = {}
    computed_by = ""
    copy_nanoseconds = 0
    for positions, tokens in _group_by_length(mask):
        group = _pick_rows(card, inputs, positions, tokens)
        # As many tokens as in a mini-batch of the longest texts.
        at_most = batch_rows * longest // tokens
        group_rows = _balance(len(positions), at_most)
        scored = score(group, group_rows)
        for name, values in scored.outputs.items():
            outputs[name][positions] = values
        rejected |= _locate_rejected(scored, positions)
        # The last one knows whether memory ran out in any group.
        computed_by = scored.computed_by
        copy_nanoseconds += scored.copy_nanoseconds

    # In the order of the rows, which that of the groups is not.
    in_order = dict(sorted(rejected.items()))
    return Scored(
        outputs=outputs,
        rejected=in_order,
        computed_by=computed_by,
        copy_nanoseconds=copy_nanoseconds,
    )


def cut_to_longest(card: ModelCard, inputs: Arrays) -> Arrays:
    """Return the same rows with as many tokens as the longest of them has.

    Args:
        card: names the mask; inputs of a model without one come back as they are.
        inputs: one array (rows, *shape) per input.
    """
    if card.mask is None:
        return inputs
    mask = inputs[card.mask]
    lengths = _count_tokens(mask)
    # A text without a token keeps one position, as no network takes none.
    longest_row = int(lengths.max())
    longest = max(1, longest_row)
    return _pick_rows(card, inputs, slice(None), longest)


def _locate_rejected(scored: Scored, positions: np.ndarray) -> dict[int, Exception]:
    """Return a group's rejected rows by their positions in the whole call."""
    located = {}
    for row, reason in scored.rejected.items():
        position = int(positions[row])
        located[position] = reason
    return located


def _pick_rows(
    card: ModelCard,
    inputs: Arrays,
    rows: np.ndarray | slice,
    tokens: int,
) -> Arrays:
    """Return some rows, of which inputs with a number, or a few, for each token are cut."""
    mask = card.inputs[str(card.mask)]
    (longest,) = mask.shape
    picked: Arrays = {}
    for name, array in inputs.items():
        shape = card.inputs[name].shape
        has_tokens = shape[:1] == (longest,)
        if has_tokens:
            # Both at once, so that what is cut off is not copied.
            picked[name] = array[rows, :tokens]
        else:
            picked[name] = array[rows]
    return picked


def _allocate_outputs(card: ModelCard, rows: int) -> Arrays:
    outputs = {}
    for name, declared in card.outputs.items():
        shape = (rows, *declared.shape)
        outputs[name] = np.empty(shape, dtype=declared.dtype)
    return outputs


def _group_by_length(mask: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Yield positions of rows that are padded to the same number of tokens, and that number."""
    lengths = _count_tokens(mask)
    # Rounded up, and never down to none: no network takes a text of no tokens.
    buckets = -(-lengths // _BUCKET_TOKENS)
    buckets = np.maximum(1, buckets)
    padded = buckets * _BUCKET_TOKENS
    # The last bucket may end behind the longest text that the model takes.
    longest = mask.shape[1]
    padded = np.minimum(padded, longest)
    found = np.unique(padded)
    # The longest first: they take the most memory, so what fits is known early.
    for tokens in found[::-1].tolist():
        positions = np.flatnonzero(padded == tokens)
        yield positions, tokens


def _count_tokens(mask: np.ndarray) -> np.ndarray:
    """Return the tokens of each row, int64 (rows,).

    Raises:
        ModelError: a row has padding before or between its tokens, which cannot be cut off.
    """
    lengths = np.count_nonzero(mask, axis=1)
    positions = np.arange(mask.shape[1])
    is_expected = positions < lengths[:, None]
    is_token = mask != 0
    if not np.array_equal(is_token, is_expected):
        raise ModelError(
            "the model's mask has padding before or between tokens; it must be behind them"
        )
    return lengths


def _balance(rows: int, at_most: int) -> int:
    """Return the rows of a group's mini-batches.

    There are as few mini-batches as possible, all about equally full, so that little is padding.
    """
    # Rounded up, both times: no row is left over.
    mini_batches = -(-rows // at_most)
    return -(-rows // mini_batches)
