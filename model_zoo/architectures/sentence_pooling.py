"""One vector of a text's token vectors, as sentence-transformers makes it (its `Pooling` module).

Comes in: vectors float32 (rows, tokens, width), and a mask float32 (rows, tokens, 1) that is 1 for
tokens and 0 for the padding behind them. Goes out: (rows, width). Source: the library's documentation
of `Pooling`; Reimers and Gurevych 2019 (Sentence-BERT); Muennighoff 2022 (SGPT: weighted mean).
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch

Pool: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
# The library's own bounds, for a text without tokens.
_LEAST = 1e-9
_LOWEST = -1e9


def _take_first(vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return vectors[:, 0]


def _take_largest(vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    is_padding = mask == 0
    of_tokens = vectors.masked_fill(is_padding, _LOWEST)
    return of_tokens.amax(1)


def _take_mean(vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _add_up(vectors, mask) / _count_tokens(mask)


def _divide_by_root(vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    root = _count_tokens(mask).sqrt()
    return _add_up(vectors, mask) / root


def _weigh_by_place(vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    tokens = vectors.shape[1]
    places = torch.arange(1, tokens + 1, device=vectors.device, dtype=vectors.dtype)
    weights = mask * places[None, :, None]
    return _take_mean(vectors, weights)


def _take_last(vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    is_token = mask[:, :, 0]
    tokens = is_token.sum(1).to(torch.int64)
    # A text without tokens has zeros.
    last = (tokens - 1).clamp(min=0)
    rows = torch.arange(len(vectors), device=vectors.device)
    without_padding = vectors * mask
    return without_padding[rows, last]


def _add_up(vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the weighted sum of each text's vectors, (rows, width)."""
    weighted = vectors * mask
    return weighted.sum(1)


def _count_tokens(mask: torch.Tensor) -> torch.Tensor:
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


def pool(
    vectors: torch.Tensor, attention_mask: torch.Tensor, poolings: Sequence[str]
) -> torch.Tensor:
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
