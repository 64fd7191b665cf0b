"""What a card may say of a library's network: plain parameters, and nothing to be fetched, opened or run.

A card is data that anybody may have written. Libraries take more than sizes by their keyword
arguments and configurations: names of weights that they fetch, files that they open, kernels that
they download and run. Those names are refused, and so is a text that could name a file, an address
or a repository, whatever it is called.
"""

from collections.abc import Iterator, Mapping
import re
from typing import Any, TypeAlias

from configs.errors import ModelError

Parameters: TypeAlias = Mapping[str, Any]

# Weights to be fetched or opened, and where they are put.
_FETCHED = (
    r"weights.*|pretrained.*|.*pretrained|checkpoint.*|cache_dir|progress|url|file|path"
    r"|(.*_)?(name_or_path|repo_id)"
)
# Code of others: a repository's own classes, and kernels by name.
_RUN = r"auto_map|trust_remote_code|custom_.*|.*implementation.*|.*kernel(s|_config|_repo)|quantization_.*"
# A second network inside, chosen by name; and what these libraries keep for the whole process.
_NESTED = r".*backbone.*|use_timm.*|timm_.*|scriptable|exportable|no_jit|device.*|.*_filter.*"
_REFUSED = re.compile(f"{_FETCHED}|{_RUN}|{_NESTED}")
# Names of classes are an author's words, and no library looks anything up by them.
_WORDS_OF_THE_AUTHOR = frozenset({"id2label", "label2id"})
# Of a path, an address, or a name on a hub (`owner/model`, `hf-hub:model`).
_PLACE = re.compile(r"[/\\:]")
# Libraries make lists as long as a size or a number of layers before they give memory to weights;
# real vocabularies end at a million.
_MOST_WHOLE = 1 << 24
# Of layers libraries make more than that, rates of dropping them for example, one after the other.
_LAYERS = re.compile(r".*(depth|layer|block|stage).*")
_MOST_LAYERS = 10_000


def check_parameters(network: str, parameters: Parameters) -> None:
    """Refuse parameters by which a library would fetch, open or run something.

    Args:
        network: its name, for the message.
        parameters: of the card.

    Raises:
        ModelError: the first such parameter.
    """
    whole = 0
    for name, value in _walk("", parameters):
        _check_name(network, name)
        if isinstance(value, str) and _PLACE.search(value):
            raise ModelError(
                f"network {network}: parameter {name} may name a file, an address or a "
                "repository, and none is opened for a model; leave it out"
            )
        if isinstance(value, int):
            size = abs(value)
            whole += size
            if size > _MOST_LAYERS and _LAYERS.fullmatch(name.lower()):
                raise ModelError(
                    f"network {network}: parameter {name} is more than {_MOST_LAYERS:,}; "
                    "no network has as many layers"
                )
    if whole > _MOST_WHOLE:
        raise ModelError(
            f"network {network}: its parameters add up to {whole:,}, more than {_MOST_WHOLE:,}; "
            "no network is as large"
        )


def is_refused(name: str) -> bool:
    """Tell whether a parameter of this name is refused whatever it says.

    >>> is_refused("weights_backbone"), is_refused("attn_implementation"), is_refused("num_classes")
    (True, True, False)
    """
    word = name.lstrip("_").lower()
    return _REFUSED.fullmatch(word) is not None


def _check_name(network: str, name: str) -> None:
    _, _, last = name.rpartition(".")
    if is_refused(last):
        raise ModelError(
            f"network {network}: parameter {name} is not taken, because a library may fetch, open "
            "or run something by it; leave it out, and pack the weights with the model"
        )


def _walk(
    place: str,
    value: Any,
) -> Iterator[tuple[str, Any]]:
    """Yield every name and value, also of those inside others."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{place}{name}", None
            if name not in _WORDS_OF_THE_AUTHOR:
                yield from _walk(f"{place}{name}.", inner)
        return
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _walk(place, inner)
        return
    yield place.removesuffix("."), value
