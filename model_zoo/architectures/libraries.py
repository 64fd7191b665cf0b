"""Networks that a library knows by name: `torchvision:resnet50`, `timm:convnext_tiny`, `transformers:BertModel`.

A library builds them of a name and plain parameters, with random weights; nothing is fetched, and
no code comes with a model.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeAlias

from torch import nn

from configs.errors import JobError, ModelError
from configs.suggest import nearest

Parameters: TypeAlias = Mapping[str, Any]
Build: TypeAlias = Callable[[str, Parameters], nn.Module]


def _build_of_torchvision(name: str, parameters: Parameters) -> nn.Module:
    models = _import("torchvision", "torchvision.models")
    _check_name("torchvision", name, models.list_models())
    network: nn.Module = models.get_model(name, weights=None, **parameters)
    return network


def _build_of_timm(name: str, parameters: Parameters) -> nn.Module:
    timm = _import("timm", "timm")
    _check_name("timm", name, timm.list_models())
    network: nn.Module = timm.create_model(name, pretrained=False, **parameters)
    return network


def _build_of_transformers(name: str, parameters: Parameters) -> nn.Module:
    transformers = _import("transformers", "transformers")
    # Names of classes are those that the library itself exports; a folder's own code is none.
    is_class = name.isidentifier() and not name.startswith("_")
    network_class = getattr(transformers, name, None) if is_class else None
    is_network = isinstance(network_class, type) and issubclass(
        network_class, transformers.PreTrainedModel
    )
    if network_class is None or not is_network:
        raise ModelError(f"transformers has no network {name!r}")
    config = network_class.config_class.from_dict(dict(parameters))
    network: nn.Module = network_class(config)
    return network


# By the name before the colon.
LIBRARIES: dict[str, Build] = {
    "timm": _build_of_timm,
    "torchvision": _build_of_torchvision,
    "transformers": _build_of_transformers,
}
# The extra of this program that brings a library.
_EXTRAS = {"timm": "timm", "torchvision": "images", "transformers": "transformers"}


def is_of_library(name: str) -> bool:
    """Tell whether a network's name is `library:name` of a library that is known.

    >>> is_of_library("torchvision:resnet50"), is_of_library("my_nets:Net"), is_of_library("mlp")
    (True, False, False)
    """
    library, colon, _ = name.partition(":")
    return bool(colon) and library in LIBRARIES


def _import(library: str, module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise JobError(
            f"the model is a network of {library}, which is not installed here; "
            f"install the extra where workers run: pip install '.[{_EXTRAS[library]}]'"
        ) from error


def _check_name(library: str, name: str, known: list[str]) -> None:
    if name not in known:
        raise ModelError(f"{library} has no network {name!r}{nearest(name, known)}")
