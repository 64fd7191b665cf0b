"""Networks that a library knows by name: `torchvision:resnet50`, `timm:convnext_tiny`, `transformers:BertModel`.

A library builds them of a name and plain parameters, with random weights; nothing is fetched, opened
or run by what a card says (library_parameters.py), and no code comes with a model.
"""

from collections.abc import Callable
import inspect
import os
from typing import Any, TypeAlias

from torch import nn

from configs.errors import ModelError
from configs.suggest import nearest_at_all
from model_zoo.architectures.graph_networks import build_graph_network
from model_zoo.architectures.library_names import EXTRAS
from model_zoo.architectures.library_parameters import Parameters, check_parameters
from model_zoo.architectures.transformers_networks import build_encoder, build_transformer
from model_zoo.extras import import_extra

Build: TypeAlias = Callable[[str, Parameters], nn.Module]


def _build_of_torchvision(name: str, parameters: Parameters) -> nn.Module:
    models = import_library("torchvision", "torchvision.models")
    _check_name("torchvision", name, models.list_models())
    builder = models.get_model_builder(name)
    # Left out, some would be fetched: those of the backbone of a segmentation network.
    signature = inspect.signature(builder)
    without = {name: None for name in signature.parameters if "weights" in name}
    network: nn.Module = builder(**without, **parameters)
    return network


def _build_of_timm(name: str, parameters: Parameters) -> nn.Module:
    timm = import_library("timm", "timm")
    # `resnet50.a1_in1k`: behind the dot stands which weights' settings are meant.
    known = timm.list_pretrained() if "." in name else timm.list_models()
    _check_name("timm", name, known)
    network: nn.Module = timm.create_model(name, pretrained=False, **parameters)
    return network


def _build_of_torch_geometric(name: str, parameters: Parameters) -> nn.Module:
    models = import_library("torch_geometric", "torch_geometric.nn.models")
    return build_graph_network(models, name, parameters)


def _build_of_transformers(name: str, parameters: Parameters) -> nn.Module:
    library = import_transformers()
    return build_transformer(library, name, parameters)


def _build_of_sentence_transformers(name: str, parameters: Parameters) -> nn.Module:
    library = import_transformers()
    return build_encoder(library, name, parameters)


# By the name before the colon, each of which stands in `library_names.py`, too.
LIBRARIES: dict[str, Build] = {
    "sentence_transformers": _build_of_sentence_transformers,
    "timm": _build_of_timm,
    "torch_geometric": _build_of_torch_geometric,
    "torchvision": _build_of_torchvision,
    "transformers": _build_of_transformers,
}


def build_of_library(name: str, parameters: Parameters) -> nn.Module:
    """Build `library:name` with random weights.

    Args:
        name: as a card says it.
        parameters: of the card.

    Raises:
        ModelError: there is no such network, or a parameter is none that is taken.
        JobError: the library is not installed.
    """
    check_parameters(name, parameters)
    library, _, network = name.partition(":")
    build = LIBRARIES[library]
    return build(network, parameters)


def import_library(library: str, module: str) -> Any:
    """Import a library's module.

    Args:
        library: its name.
        module: of it.

    Raises:
        JobError: it is not installed.
    """
    extra = EXTRAS[library]
    return import_extra(
        module,
        f"the model is a network of {library}, which is not installed here; "
        f"install the extra where workers run: pip install '.[{extra}]'",
    )


def import_transformers() -> Any:
    """Import transformers so that it fetches nothing, kernels among it.

    Raises:
        JobError: it is not installed.
    """
    # It looks at both when it is imported.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["USE_HUB_KERNELS"] = "0"
    return import_library("transformers", "transformers")


def _check_name(library: str, name: str, known: list[str]) -> None:
    if name not in known:
        hint = nearest_at_all(name, known)
        raise ModelError(f"{library} has no network {name!r}{hint}")
