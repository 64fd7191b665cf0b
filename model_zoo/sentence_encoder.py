"""A BERT encoder whose token vectors are averaged into one embedding per text, and its weights from a Hugging Face checkpoint.

Sources: Devlin et al. 2019 (BERT); Reimers and Gurevych 2019 (Sentence-BERT: mean pooling); Vaswani et al. 2017 (attention).
"""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

_EPSILON = 1e-12


def sentence_encoder(
    vocabulary: int, width: int, layers: int, heads: int, feed_forward: int, positions: int, normalise: bool = True
) -> nn.Module:
    """A BERT encoder, the mean of its token vectors, and (with `normalise`) that vector divided by its length.

    Called with `input_ids` and `attention_mask`, int64 (rows, tokens), of which the mask is 1 for tokens and 0 for the padding behind
    them; tokens <= `positions`. Gives `embedding` float32 (rows, width).

    >>> encoder = sentence_encoder(vocabulary=9, width=4, layers=1, heads=2, feed_forward=8, positions=6)
    >>> tokens = torch.ones(3, 5, dtype=torch.int64)
    >>> {name: tuple(tensor.shape) for name, tensor in encoder(input_ids=tokens, attention_mask=tokens).items()}
    {'embedding': (3, 4)}
    """
    return _SentenceEncoder(vocabulary, width, layers, heads, feed_forward, positions, normalise)


def parameters_of_bert(config: Mapping[str, int], normalise: bool = True) -> dict[str, int | bool]:
    """Parameters of `sentence_encoder` from a checkpoint's `config.json`."""
    return {
        "vocabulary": config["vocab_size"],
        "width": config["hidden_size"],
        "layers": config["num_hidden_layers"],
        "heads": config["num_attention_heads"],
        "feed_forward": config["intermediate_size"],
        "positions": config["max_position_embeddings"],
        "normalise": normalise,
    }


def state_of_bert(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state dict of `sentence_encoder` from that of a Hugging Face BertModel; pooler and buffers are left out.

    Raises:
        KeyError: a tensor that every BERT has is missing.
    """
    tensors = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
    state = {}
    for ours, theirs in _EMBEDDINGS.items():
        state[ours] = tensors[f"embeddings.{theirs}"]
    # All texts are of the first segment: its vector is added to every position once and for all.
    state["positions.weight"] = (
        tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
    )
    layers = {int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer.")}
    for layer in sorted(layers):
        theirs = f"encoder.layer.{layer}"
        for kind in ("weight", "bias"):
            parts = [tensors[f"{theirs}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            state[f"layers.{layer}.attend.{kind}"] = torch.cat(parts)
            for ours, name in _LAYER.items():
                state[f"layers.{layer}.{ours}.{kind}"] = tensors[f"{theirs}.{name}.{kind}"]
    return state


_EMBEDDINGS = {
    "words.weight": "word_embeddings.weight",
    "norm.weight": "LayerNorm.weight",
    "norm.bias": "LayerNorm.bias",
}
_LAYER = {
    "mix": "attention.output.dense",
    "norm_attention": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm_output": "output.LayerNorm",
}


class _SentenceEncoder(nn.Module):
    def __init__(
        self, vocabulary: int, width: int, layers: int, heads: int, feed_forward: int, positions: int, normalise: bool
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.layers = nn.ModuleList(_Layer(width, heads, feed_forward) for _ in range(layers))
        self.normalise = normalise

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        values = self.norm(self.words(input_ids) + self.positions.weight[: input_ids.shape[1]])
        attended = attention_mask.to(torch.bool)[:, None, None, :]
        for layer in self.layers:
            values = layer(values, attended)
        tokens = attention_mask[:, :, None].to(torch.float32)
        mean = (values.to(torch.float32) * tokens).sum(1) / tokens.sum(1).clamp(min=1.0)
        return {"embedding": functional.normalize(mean, dim=1) if self.normalise else mean}


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.norm_attention = nn.LayerNorm(width, eps=_EPSILON)
        self.widen = nn.Linear(width, feed_forward)
        self.narrow = nn.Linear(feed_forward, width)
        self.norm_output = nn.LayerNorm(width, eps=_EPSILON)

    def forward(self, values: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        rows, tokens, width = values.shape
        query, key, value = self.attend(values).view(rows, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        values = self.norm_attention(values + self.mix(mixed.transpose(1, 2).reshape(rows, tokens, width)))
        return self.norm_output(values + self.narrow(functional.gelu(self.widen(values))))
