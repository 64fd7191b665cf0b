"""A BERT encoder whose token vectors are averaged into one embedding per text.

Sources: Devlin et al. 2019 (BERT); Reimers and
Gurevych 2019 (Sentence-BERT: mean pooling); Vaswani et al. 2017 (attention).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

# Of layer normalisation: BERT's own value, with which the checkpoints were trained.
_EPSILON = 1e-12


def sentence_encoder(
    vocabulary: int,
    width: int,
    layers: int,
    heads: int,
    feed_forward: int,
    positions: int,
    normalise: bool = True,
) -> nn.Module:
    """Build a BERT encoder that gives the mean of its token vectors.

    Called with `input_ids` and `attention_mask`, int64 (rows, tokens), of which the mask is 1 for
    tokens and 0 for the padding behind them; tokens <= `positions`. Gives `embedding` float32 (rows,
    width).

    Args:
        vocabulary: number of different tokens.
        width: numbers of a token vector, a multiple of `heads`.
        layers, heads, feed_forward: number of layers, attention heads of each, and width between its
            two linear layers.
        positions: tokens of the longest text.
        normalise: whether an embedding is divided by its length.

    >>> encoder = sentence_encoder(9, width=4, layers=1, heads=2, feed_forward=8, positions=6)
    >>> tokens = torch.ones(3, 5, dtype=torch.int64)
    >>> encoder(input_ids=tokens, attention_mask=tokens)["embedding"].shape
    torch.Size([3, 4])
    """
    return _SentenceEncoder(
        vocabulary=vocabulary,
        width=width,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        positions=positions,
        normalise=normalise,
    )


class _SentenceEncoder(nn.Module):
    def __init__(
        self,
        vocabulary: int,
        width: int,
        layers: int,
        heads: int,
        feed_forward: int,
        positions: int,
        normalise: bool,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.layers = nn.ModuleList()
        for _ in range(layers):
            layer = _Layer(width, heads, feed_forward)
            self.layers.append(layer)
        self.normalise = normalise

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        tokens = input_ids.shape[1]
        positions = self.positions.weight[:tokens]
        values = self.words(input_ids) + positions
        values = self.norm(values)
        is_token = attention_mask.to(torch.bool)
        # (rows, 1, 1, tokens): the same for every head and every token that looks.
        attended = is_token[:, None, None, :]
        for layer in self.layers:
            values = layer(values, attended)

        # float32, whatever the layers compute in: a long text's sum needs the digits.
        weights = attention_mask[:, :, None]
        weights = weights.to(torch.float32)
        vectors = values.to(torch.float32)
        weighted = vectors * weights
        counts = weights.sum(1)
        # A text without tokens would divide by zero.
        counts = counts.clamp(min=1.0)
        sums = weighted.sum(1)
        mean = sums / counts
        if self.normalise:
            mean = functional.normalize(mean, dim=1)
        return {"embedding": mean}


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.heads = heads
        # Query, key and value of all heads side by side, in one product.
        self.attend = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.norm_attention = nn.LayerNorm(width, eps=_EPSILON)
        self.widen = nn.Linear(width, feed_forward)
        self.narrow = nn.Linear(feed_forward, width)
        self.norm_output = nn.LayerNorm(width, eps=_EPSILON)

    def forward(self, values: Tensor, attended: Tensor) -> Tensor:
        rows, tokens, width = values.shape
        parts = self.attend(values)
        numbers = width // self.heads
        parts = parts.view(rows, tokens, 3, self.heads, numbers)
        # (3, rows, heads, tokens, numbers): a product for each head.
        parts = parts.permute(2, 0, 3, 1, 4)
        query, key, value = parts
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        # Heads side by side again, in the width of a token.
        mixed = mixed.transpose(1, 2)
        mixed = mixed.reshape(rows, tokens, width)
        # Normalised behind each sum, as in BERT; later Transformers do it before.
        values = values + self.mix(mixed)
        values = self.norm_attention(values)

        widened = self.widen(values)
        widened = functional.gelu(widened)
        values = values + self.narrow(widened)
        return self.norm_output(values)
