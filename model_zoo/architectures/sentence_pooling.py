"""One vector of a text's token vectors, as sentence-transformers makes it (its `Pooling` module).

Comes in: vectors float32 (rows, tokens, width), and a mask float32 (rows, tokens, 1) that is 1 for
tokens and 0 for the padding behind them. Goes out: (rows, width). Source: the library's documentation
of `Pooling`; Reimers and Gurevych 2019 (Sentence-BERT); Muennighoff 2022 (SGPT: weighted mean).
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Pool: TypeAlias = Callable[[Tensor, Tensor], Tensor]
# The library's own bounds, for a text without tokens.
_LEAST = 1e-9
_LOWEST = -1e9


def _take_first(vectors: Tensor, mask: Tensor) -> Tensor:
    return vectors[:, 0]


def _take_largest(vectors: Tensor, mask: Tensor) -> Tensor:
    is_padding = mask == 0
    of_tokens = vectors.masked_fill(is_padding, _LOWEST)
    return of_tokens.amax(1)


def _take_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    total = _add_up(vectors, mask)
    return total / _count_tokens(mask)


def _divide_by_root(vectors: Tensor, mask: Tensor) -> Tensor:
    total = _add_up(vectors, mask)
    tokens = _count_tokens(mask)
    return total / tokens.sqrt()


def _weigh_by_place(vectors: Tensor, mask: Tensor) -> Tensor:
    tokens = vectors.shape[1]
    # From 1: the first token weighs something, too.
    places = torch.arange(1, tokens + 1, device=vectors.device, dtype=vectors.dtype)
    # The same for every text and every number of a vector.
    of_tokens = places[None, :, None]
    weights = mask * of_tokens
    return _take_mean(vectors, weights)


def _take_last(vectors: Tensor, mask: Tensor) -> Tensor:
    is_token = mask[:, :, 0]
    tokens = is_token.sum(1)
    place = tokens.to(torch.int64) - 1
    # A text without tokens has zeros.
    last = place.clamp(min=0)
    rows = torch.arange(vectors.shape[0], device=vectors.device)
    without_padding = vectors * mask
    return without_padding[rows, last]


def _add_up(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the weighted sum of each text's vectors, (rows, width)."""
    weighted = vectors * mask
    return weighted.sum(1)


def _count_tokens(mask: Tensor) -> Tensor:
    """Return the sum of each text's weights, (rows, 1), which may be divided by."""
    weights = mask.sum(1)
    return weights.clamp(min=_LEAST)


# By the library's words, in the order in which it puts several side by side.
POOLINGS: dict[str, Pool] = {
    "cls": _take_first,
    "max": _take_largest,
    "mean": _take_mean,
    "mean_sqrt_len_tokens": _divide_by_root,
    "weightedmean": _weigh_by_place,
    "lasttoken": _take_last,
}


def pool(vectors: Tensor, attention_mask: Tensor, poolings: Sequence[str]) -> Tensor:
    """Return the vectors of texts, of several poolings side by side.

    Args:
        vectors: (rows, tokens, width), of any floating dtype.
        attention_mask: (rows, tokens), 1 for tokens and 0 for padding.
        poolings: some of the words of `POOLINGS`.

    >>> vectors = torch.tensor([[[1.0], [3.0], [9.0]]])
    >>> pool(vectors, torch.tensor([[1, 1, 0]]), ["max", "mean"])
    tensor([[3., 2.]])
    """
    # float32, whatever the layers compute in: a long text's sum needs the digits.
    vectors = vectors.to(torch.float32)
    with_width = attention_mask[:, :, None]
    mask = with_width.to(torch.float32)
    parts = []
    for name in poolings:
        take = POOLINGS[name]
        part = take(vectors, mask)
        parts.append(part)
    if len(parts) == 1:
        return parts[0]
    return torch.cat(parts, dim=1)
