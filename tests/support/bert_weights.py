"""Weights of our `sentence_encoder` from a checkpoint of Hugging Face's BertModel, which computes the same."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

# Names in a Hugging Face checkpoint; of the dicts the keys are ours, and the values theirs.
_LAYERS = "encoder.layer."
_ATTENTION = ("query", "key", "value")
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


def parameters_of_bert(config: Mapping[str, int], normalise: bool = True) -> dict[str, int | bool]:
    """Return parameters of `sentence_encoder` from a checkpoint's `config.json`.

    Args:
        config: its content.
        normalise: as that of `sentence_encoder`; the checkpoint does not say it there.
    """
    return {
        "vocabulary": config["vocab_size"],
        "width": config["hidden_size"],
        "layers": config["num_hidden_layers"],
        "heads": config["num_attention_heads"],
        "feed_forward": config["intermediate_size"],
        "positions": config["max_position_embeddings"],
        "normalise": normalise,
    }


def state_of_bert(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of `sentence_encoder` from that of a Hugging Face BertModel.

    Its pooler and its buffers are left out.

    Raises:
        KeyError: a tensor that every BERT has is missing.
    """
    encoder = {}
    for name, tensor in tensors.items():
        # A model with a head on top keeps the encoder under a name of its own.
        own_name = name.removeprefix("bert.")
        encoder[own_name] = tensor

    state = {}
    for ours, theirs in _EMBEDDINGS.items():
        state[ours] = encoder[f"embeddings.{theirs}"]
    positions = encoder["embeddings.position_embeddings.weight"]
    segments = encoder["embeddings.token_type_embeddings.weight"]
    # All texts are of the first segment: its vector is added to every position once and for all.
    first_segment = segments[0]
    state["positions.weight"] = positions + first_segment
    layers = _find_layers(encoder)
    for layer in sorted(layers):
        taken = _take_layer(encoder, layer)
        state.update(taken)
    return state


def _find_layers(names: Iterable[str]) -> set[int]:
    layers = set()
    for name in names:
        if not name.startswith(_LAYERS):
            continue
        within = name.removeprefix(_LAYERS)
        number, _, _ = within.partition(".")
        layers.add(int(number))
    return layers


def _take_layer(tensors: Mapping[str, Tensor], layer: int) -> dict[str, Tensor]:
    """Return the weights of one layer by our names."""
    theirs = f"{_LAYERS}{layer}"
    ours = f"layers.{layer}"
    taken = {}
    for kind in ("weight", "bias"):
        attention = []
        for part in _ATTENTION:
            name = f"{theirs}.attention.self.{part}.{kind}"
            tensor = tensors[name]
            attention.append(tensor)
        # One product in place of three.
        taken[f"{ours}.attend.{kind}"] = torch.cat(attention)

        for our_name, their_name in _LAYER.items():
            name = f"{theirs}.{their_name}.{kind}"
            tensor = tensors[name]
            taken[f"{ours}.{our_name}.{kind}"] = tensor
    return taken
