"""A card of a library's network fetches, opens and runs nothing, and takes no more memory than was delivered."""

from pathlib import Path
import socket
import subprocess
from typing import Any, Never

import pytest
from safetensors.torch import save
import torch

from configs.errors import ModelError
from model_zoo.architectures.builders import build
from model_zoo.package.package import read_package
from model_zoo.package.weights import load_network
from tests.support.builders import tiny_package

# By a keyword or a field of the config; of a name that nobody has thought of, the value tells.
TORCHVISION = [
    {"weights": "IMAGENET1K_V1"},
    {"weights_backbone": "IMAGENET1K_V1"},
    {"pretrained": True},
    {"pretrained_backbone": True},
    {"progress": True},
    {"anything": "https://evil.example/net.pth"},
]
TIMM = [
    {"pretrained": True},
    {"checkpoint_path": "planted.pth"},
    {"pretrained_cfg": {"file": "planted.pth"}},
    {"pretrained_cfg_overlay": {"url": "planted"}},
    {"pretrained_strict": False},
    {"cache_dir": "planted"},
    {"features_only": True, "feature_cls": "hf-hub:planted"},
    {"scriptable": True},
    {"norm_layer": "../planted"},
]
TRANSFORMERS = [
    {"auto_map": {"AutoModel": "planted.Net"}},
    {"trust_remote_code": True},
    {"_name_or_path": "planted"},
    {"name_or_path": "planted"},
    {"attn_implementation": "kernels-community/flash-attn"},
    {"_attn_implementation": "flash_attention_2"},
    {"_attn_implementation_internal": "kernels-community/planted:attend"},
    {"_experts_implementation": "planted"},
    {"use_kernels": True},
    {"quantization_config": {"quant_method": "bitsandbytes"}},
    {"custom_pipelines": {}},
    {"backbone": "resnet50"},
    {"use_pretrained_backbone": True},
    {"use_timm_backbone": True},
    {"nested": [{"auto_map": {}}]},
    {"hidden_act": "planted/act"},
    {"device_map": "auto"},
    {"num_labels": 10},
    {"nobody_knows_this": 1},
]
TORCH_GEOMETRIC = [
    {"cached": True},
    {"pretrained": True},
    {"act_kwargs": {"inplace": True}},
    {"norm_kwargs": {"eps": 1}},
    {"nobody_knows_this": 1},
    {"act": "planted/act"},
]
OTHER_NETWORKS = [
    "torch_geometric:DimeNet",
    "torch_geometric:SchNet",
    "torch_geometric:from_hf",
    "timm:hf-hub:planted",
    "timm:hf_hub:planted",
    "timm:local-dir:planted",
    "torchvision:https://evil.example",
    "transformers:TimmWrapperForImageClassification",
    "transformers:AutoModelForSequenceClassification",
    "transformers:DetrForObjectDetection",
    "transformers:LlavaModel",
    "transformers:pipeline",
]
SIZES = {"in_channels": 3, "hidden_channels": 4, "num_layers": 2}
HUGE = [
    ("torch_geometric:GCN", {**SIZES, "hidden_channels": 10**6}),
    ("torch_geometric:GAT", {**SIZES, "heads": 10**6}),
    ("torch_geometric:GraphSAGE", {**SIZES, "in_channels": 10**7}),
    ("torch_geometric:GIN", {**SIZES, "num_layers": 10**4}),
    ("torchvision:resnet18", {"num_classes": 10**7}),
    ("torchvision:regnet_y_400mf", {"num_classes": 10**7}),
    ("torchvision:resnet18", {"width_per_group": 10**6}),
    ("torchvision:resnet18", {"num_classes": 10**12}),
    ("timm:resnet18", {"num_classes": 10**7}),
    ("timm:vit_tiny_patch16_224", {"depth": 10**6}),
    ("timm:vit_tiny_patch16_224", {"embed_dim": 3 * 10**5}),
    ("transformers:BertModel", {"vocab_size": 10**7}),
    ("transformers:BertModel", {"num_hidden_layers": 10**7}),
    ("transformers:BertModel", {"max_position_embeddings": 10**7}),
    ("transformers:DistilBertModel", {"sinusoidal_pos_embds": True}),
    ("transformers:SwinModel", {"depths": [10**9, 10**9]}),
    ("transformers:ViTModel", {"image_size": 10**6}),
    ("sentence_transformers:BertModel", {"config": {"vocab_size": 10**7}}),
]


@pytest.fixture(autouse=True)
def _nothing_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuse(socket.socket):
        def __init__(self, *_: object, **__: object) -> None:
            pytest.fail("a socket was opened")

    def refuse(*_: object, **__: object) -> Never:
        pytest.fail("something was looked up, loaded or started")

    monkeypatch.setattr(socket, "socket", Refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)


@pytest.fixture
def _planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and files of the names that cards say, in the folder that the program runs in."""
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted/config.json").write_text('{"architecture": "resnet18"}')
    (tmp_path / "planted.pth").write_bytes(b"planted")
    monkeypatch.chdir(tmp_path)


def _list_cards() -> list[tuple[str, dict[str, Any]]]:
    cards: list[tuple[str, dict[str, Any]]] = []
    cards += [("torchvision:resnet18", fields) for fields in TORCHVISION]
    cards += [("timm:resnet18", fields) for fields in TIMM]
    cards += [("torch_geometric:GCN", {**SIZES, **fields}) for fields in TORCH_GEOMETRIC]
    for fields in TRANSFORMERS:
        cards.append(("transformers:BertModel", fields))
        cards.append(("sentence_transformers:BertModel", {"config": fields}))
    return cards


@pytest.mark.usefixtures("_planted")
@pytest.mark.parametrize(("network", "parameters"), _list_cards())
def test_what_a_library_would_fetch_open_or_run_is_refused(
    network: str, parameters: dict[str, Any]
) -> None:
    _import(network)
    with pytest.raises(ModelError, match=r"is not taken|takes no parameter|may name a file"):
        build(network, parameters)


@pytest.mark.usefixtures("_planted")
@pytest.mark.parametrize("network", OTHER_NETWORKS)
def test_a_name_that_a_library_would_look_up_elsewhere_is_no_network(network: str) -> None:
    _import(network)
    with pytest.raises(ModelError, match="has no network"):
        build(network, {})


@pytest.mark.parametrize("network", ["fcn_resnet50", "deeplabv3_mobilenet_v3_large"])
def test_the_backbone_of_a_segmentation_network_is_not_fetched(network: str) -> None:
    """By default torchvision fetches it."""
    pytest.importorskip("torchvision")
    with torch.device("meta"):
        build(f"torchvision:{network}", {})


@pytest.mark.parametrize(("network", "parameters"), HUGE)
def test_a_network_takes_no_more_memory_than_was_delivered(
    network: str, parameters: dict[str, Any], tmp_path: Path, largest_allocation: list[int]
) -> None:
    _import(network)
    content = {"weights.safetensors": save({"weight": torch.zeros(8)})}
    url = tiny_package(tmp_path / "m", contents=content, builder=network, parameters=parameters)
    package = read_package(url)
    with pytest.raises(ModelError):
        load_network(package)
    assert max(largest_allocation) < 1 << 26


@pytest.fixture
def largest_allocation(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of every tensor that was filled with random numbers, off the meta device."""
    sizes = [0]
    for name in ("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_"):
        original = getattr(torch.nn.init, name)

        def count(tensor: torch.Tensor, *args: Any, _fill: Any = original, **named: Any) -> Any:
            if tensor.device.type != "meta":
                sizes.append(tensor.numel())
            return _fill(tensor, *args, **named)

        monkeypatch.setattr(torch.nn.init, name, count)
    return sizes


def _import(network: str) -> None:
    """Import the library before sockets are watched: what it does then is not the card's doing."""
    library, _, _ = network.partition(":")
    module = {"sentence_transformers": "transformers"}.get(library, library)
    pytest.importorskip(module)
