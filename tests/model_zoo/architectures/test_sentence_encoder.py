"""The encoder against torch's own Transformer layers, with BERT's names for its weights."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from model_zoo.architectures.sentence_encoder import sentence_encoder
from tests.support.bert_weights import parameters_of_bert, state_of_bert

CONFIG = {
    "vocab_size": 11,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 7,
}
PLACES = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


def bert() -> tuple[dict[str, torch.Tensor], nn.TransformerEncoder]:
    """Random weights by BERT's names, and torch's encoder with the same."""
    torch.manual_seed(2)
    layer = nn.TransformerEncoderLayer(
        8, 2, 12, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    )
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    state = {
        "embeddings.word_embeddings.weight": torch.randn(11, 8),
        "embeddings.position_embeddings.weight": torch.randn(7, 8),
        "embeddings.token_type_embeddings.weight": torch.randn(2, 8),
        "embeddings.LayerNorm.weight": torch.rand(8) + 0.5,
        "embeddings.LayerNorm.bias": torch.randn(8),
        "pooler.dense.weight": torch.randn(8, 8),
    }
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    for number, own in enumerate(encoder.layers):
        tensors = own.state_dict()
        for kind in ("weight", "bias"):
            parts = tensors[f"self_attn.in_proj_{kind}"].chunk(3)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                state[f"encoder.layer.{number}.attention.self.{name}.{kind}"] = part
            for theirs, torchs in PLACES.items():
                state[f"encoder.layer.{number}.{theirs}.{kind}"] = tensors[f"{torchs}.{kind}"]
    return state, encoder.eval()


def test_it_computes_what_torchs_own_layers_do_from_bert_s_weights() -> None:
    state, encoder = bert()
    mine = sentence_encoder(**parameters_of_bert(CONFIG)).eval()  # type: ignore[arg-type]
    mine.load_state_dict(state_of_bert({f"bert.{name}": tensor for name, tensor in state.items()}))
    words = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    embedded = (
        state["embeddings.word_embeddings.weight"][words]
        + state["embeddings.position_embeddings.weight"][:5]
    )
    embedded = embedded + state["embeddings.token_type_embeddings.weight"][0]
    scale, shift = state["embeddings.LayerNorm.weight"], state["embeddings.LayerNorm.bias"]
    embedded = functional.layer_norm(embedded, (8,), scale, shift, 1e-12)
    with torch.inference_mode():
        tokens = encoder(embedded, src_key_padding_mask=mask == 0)
        expected = [
            functional.normalize(tokens[0].mean(0), dim=0),
            functional.normalize(tokens[1, :3].mean(0), dim=0),
        ]
        actual = mine(input_ids=words, attention_mask=mask)["embedding"]
    np.testing.assert_allclose(actual.numpy(), torch.stack(expected).numpy(), atol=1e-5)


def test_embeddings_have_a_length_of_one_unless_it_is_said_that_they_have_not() -> None:
    lengths = {}
    for said in ({}, {"normalise": True}, {"normalise": False}):
        torch.manual_seed(1)
        encoder = sentence_encoder(9, 4, layers=1, heads=2, feed_forward=8, positions=6, **said)
        encoder.layers[0].norm_output.weight.data *= 3
        tokens = torch.ones(3, 5, dtype=torch.int64)
        with torch.inference_mode():
            embedding = encoder.eval()(input_ids=tokens, attention_mask=tokens)["embedding"]
        lengths[str(said)] = embedding.norm(dim=1)[0].item()
    default, normalised, raw = lengths.values()
    assert default == normalised == pytest.approx(1.0)
    assert raw > 2


def test_a_text_without_tokens_has_an_embedding_of_zeros_and_not_of_nan() -> None:
    encoder = sentence_encoder(9, 4, layers=1, heads=2, feed_forward=8, positions=6).eval()
    tokens = torch.ones(2, 5, dtype=torch.int64)
    mask = tokens.clone()
    mask[1] = 0
    with torch.inference_mode():
        embedding = encoder(input_ids=tokens, attention_mask=mask)["embedding"]
    assert embedding[1].tolist() == [0.0] * 4
    assert embedding[0].norm().item() == pytest.approx(1.0)
