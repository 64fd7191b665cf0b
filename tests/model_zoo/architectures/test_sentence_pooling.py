"""Pooling of token vectors, beside loops over texts; padding counts for nothing, and a card says words alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.architectures.sentence_pooling import POOLINGS, pool
from model_zoo.architectures.transformers_networks import build_encoder

# Of one text without padding, as sentence-transformers documents them.
EXPECTED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cls": lambda vectors: vectors[0],
    "max": lambda vectors: vectors.max(0),
    "mean": lambda vectors: vectors.mean(0),
    "mean_sqrt_len_tokens": lambda vectors: vectors.sum(0) / np.sqrt(len(vectors)),
    "weightedmean": lambda vectors: np.average(vectors, 0, np.arange(1, len(vectors) + 1)),
    "lasttoken": lambda vectors: vectors[-1],
}


def texts(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """1,000 texts of 1 to 9 tokens, whose padding holds large numbers."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 10, 1_000)
    mask = (np.arange(9) < lengths[:, None]).astype(np.int64)
    vectors = random.normal(size=(1_000, 9, 4)).astype(np.float32)
    vectors[mask == 0] = 1e3
    return torch.from_numpy(vectors), torch.from_numpy(mask)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_pooling_is_that_of_each_text_alone(pooling: str) -> None:
    vectors, mask = texts()
    actual = pool(vectors, mask, [pooling]).numpy()
    rows = zip(vectors.numpy(), mask.sum(1).tolist(), strict=True)
    expected = [EXPECTED[pooling](row[:tokens]) for row, tokens in rows]
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_several_stand_side_by_side() -> None:
    vectors, mask = texts()
    both = pool(vectors, mask, ["cls", "max"])
    parts = [pool(vectors, mask, ["cls"]), pool(vectors, mask, ["max"])]
    assert torch.equal(both, torch.cat(parts, dim=1))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_text_without_tokens_has_a_vector_all_the_same(pooling: str) -> None:
    vectors, mask = texts()
    assert pool(vectors[:2], 0 * mask[:2], [pooling]).isfinite().all()


@pytest.mark.parametrize(
    "pooling", [[], ["median"], ["mean", "mean"], "mean", {"mean": 1}, 3, ["mean"] * 10**6]
)
def test_a_card_says_each_word_once(pooling: Any) -> None:
    with pytest.raises(ModelError, match="pooling"):
        build_encoder(None, "BertModel", {"config": {}, "pooling": pooling})
