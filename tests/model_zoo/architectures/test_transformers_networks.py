"""The classes that are taken of transformers: what their sources do, and how their weights are called."""

import ast
import inspect
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from configs.errors import ModelError
from model_zoo.architectures.builders import build
from model_zoo.architectures.transformers_networks import FAMILIES, PooledTokens, list_fields

transformers = pytest.importorskip("transformers")
# What loads, fetches or chooses another network by its name; whoever adds a family looks through it.
_LOADS = {
    "from_pretrained",
    "from_config",
    "load_backbone",
    "create_model",
    "lazy_load_kernel",
    "hf_hub_download",
    "cached_file",
    "load",
    "open",
    "import_module",
    "eval",
    "exec",
    "get_kernel",
}
_SMALL = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 10,
}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_no_family_that_is_taken_loads_or_fetches_anything(family: str) -> None:
    """`network.eval()` alone is none of it: it takes no argument."""
    tables = transformers.models.auto.modeling_auto
    names = tables.MODEL_MAPPING_NAMES[family]
    name = names if isinstance(names, str) else names[0]
    source = inspect.getsource(inspect.getmodule(getattr(transformers, name)))
    called = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (node.args or node.keywords):
            function = node.func
            called.add(getattr(function, "attr", getattr(function, "id", "")))
    assert not called & _LOADS


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_what_a_family_reads_of_a_config_may_be_said(family: str) -> None:
    """Some read fields that their config class does not declare: every DeBERTa-v3 has such."""
    tables = transformers.models.auto.modeling_auto
    names = tables.MODEL_MAPPING_NAMES[family]
    name = names if isinstance(names, str) else names[0]
    source = inspect.getsource(inspect.getmodule(getattr(transformers, name)))
    read = set(re.findall(r"""getattr\(\s*(?:self\.)?config,\s*["'](\w+)["']""", source))
    # A property, which stands for the labels' names; and those of multiple choice, which is not taken.
    others = {"num_labels", "summary_activation", "summary_type"}
    assert read - others <= list_fields(transformers, name)


def test_a_field_that_the_config_class_does_not_declare_shapes_the_network() -> None:
    fields = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "share_att_key": True}
    fields |= {"position_buckets": 4, "norm_rel_ebd": "layer_norm", "conv_kernel_size": 3}
    config = transformers.DebertaV2Config(**_SMALL, **fields)
    own = transformers.DebertaV2Model(config).state_dict()
    built = build("transformers:DebertaV2Model", {**_SMALL, **fields}).state_dict()
    assert "encoder.LayerNorm.weight" in own
    assert {name: value.shape for name, value in built.items()} == {
        name: value.shape for name, value in own.items()
    }


def test_an_encoder_has_the_weights_of_the_librarys_own() -> None:
    encoder = build("sentence_transformers:BertModel", {"config": _SMALL, "normalise": True})
    assert isinstance(encoder, PooledTokens)
    own = transformers.BertModel(transformers.BertConfig(**_SMALL), add_pooling_layer=False)
    assert encoder.state_dict().keys() == own.state_dict().keys()
    encoder.load_state_dict(own.state_dict())
    with pytest.raises(RuntimeError, match="Missing key"):
        encoder.load_state_dict({})


def test_padding_takes_no_part_in_a_mean() -> None:
    encoder = build("sentence_transformers:BertModel", {"config": _SMALL}).eval()
    tokens = torch.tensor([[5, 6, 7, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 0, 0]])
    with torch.inference_mode():
        padded = encoder(input_ids=tokens, attention_mask=mask)["embedding"]
        alone = encoder(input_ids=tokens[:, :3], attention_mask=mask[:, :3])["embedding"]
    torch.testing.assert_close(padded, alone)


@pytest.mark.parametrize(
    "parameters", [{}, {"config": 3}, {"config": _SMALL, "pooling": "max"}, _SMALL]
)
def test_an_encoder_takes_a_config_and_nothing_else(parameters: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="takes the parameters config, normalise and pooling"):
        build("sentence_transformers:BertModel", parameters)


def test_a_misspelt_field_is_named_with_the_nearest() -> None:
    with pytest.raises(ModelError, match="did you mean hidden_size"):
        build("transformers:BertModel", {**_SMALL, "hiden_size": 8})


class Tokens(torch.nn.Module):
    """Stands in for an encoder: the vectors of two rows of two tokens, whatever they are."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        vectors = torch.tensor([[[3.0, 4.0], [3.0, 4.0]], [[0.0, 2.0], [9.0, 9.0]]])
        return SimpleNamespace(last_hidden_state=vectors)


@pytest.mark.parametrize(
    ("normalise", "expected"),
    [(False, [[3.0, 4.0], [0.0, 2.0]]), (True, [[0.6, 0.8], [0.0, 1.0]])],
)
def test_each_rows_vector_is_divided_by_its_own_length(
    normalise: bool, expected: list[list[float]]
) -> None:
    mask = torch.tensor([[1, 1], [1, 0]])
    pooled = PooledTokens(Tokens(), ["mean"], normalise)(mask, mask)["embedding"]
    torch.testing.assert_close(pooled, torch.tensor(expected))
