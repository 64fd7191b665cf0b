"""An author's weights file -> the state dict of the network, under its own names."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch

from configs.errors import JobError
from configs.fields import Names
from model_zoo.package.state_dicts import StateDict, read_state_dict, read_tensors_within
from pipelines.packing.converters.torch_archives import describe_program
from pipelines.packing.networks.computed import failures_told
from storage import files

# Where training programs keep the state dict in a checkpoint.
_PLACES = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module")
# What wrappers put before every name: DistributedDataParallel, torch.compile, and Lightning modules
# that hold the network as `model` or `net`.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
# What torch.compile puts inside the names of a network of which it compiled a part.
_COMPILED = "_orig_mod."

# Of a checkpoint, when it holds something else.
_SHOWN_NAMES = 10


class Weights(NamedTuple):
    """A state dict, and what was taken off to get it, in words."""

    state: StateDict
    notes: Names


def read_weights(url: str) -> Weights:
    """Return the tensors of a `.safetensors`, `.pt` or `.pth` file, also of a checkpoint.

    Nothing of the file is run: of a pickle only tensors and plain values are taken.

    Raises:
        JobError: it is not there, or holds no state dict.
    """
    path = files.to_absolute(url)
    content = files.read(path)
    if content is None:
        raise JobError(f"weights {url}: there is no such file")
    program = describe_program(content)
    if program is not None:
        raise JobError(f"weights {url}: is no state dict, but {program}")
    try:
        if url.endswith(".safetensors"):
            state = read_state_dict(url, content)
            return Weights(state, ())
        fields = read_tensors_within(url, content)
    except ValueError as error:
        raise JobError(f"weights {url}: {error}") from error
    return _find_state(fields, url)


def load_weights(network: torch.nn.Module, weights: Weights) -> Names:
    """Give a network its weights, and tell what was taken off their names.

    Args:
        network: built already.
        weights: as `read_weights` gives them.

    Raises:
        ModelError: they are those of another network.
    """
    with failures_told("the network does not tell its weights (state_dict)"):
        wanted = network.state_dict()
    state, prefixes = _take_prefixes_off(weights.state, wanted)
    # torch writes a line for every weight, and a network of the author's own may do anything.
    with failures_told("the weights are not those of the network"):
        network.load_state_dict(state)
    notes = list(weights.notes)
    notes += [f"took {prefix!r} off the weights' names" for prefix in prefixes]
    return tuple(notes)


def _find_state(fields: Mapping[str, Any], url: str) -> Weights:
    if _is_state(fields):
        return Weights(dict(fields), ())
    for place in _PLACES:
        inner = fields.get(place)
        if isinstance(inner, Mapping) and _is_state(inner):
            note = f"took the state dict from {place!r} of the checkpoint"
            return Weights(dict(inner), (note,))
    names = sorted(map(str, fields))
    shown = names[:_SHOWN_NAMES]
    raise JobError(
        f"weights {url}: holds no state dict, but {shown}; save model.state_dict() alone"
    )


def _is_state(fields: Mapping[Any, Any]) -> bool:
    # Of a network that has nothing to learn there are no fields.
    for name, value in fields.items():
        is_tensor = isinstance(value, torch.Tensor)
        if not is_tensor or not isinstance(name, str):
            return False
    return True


def _take_prefixes_off(
    state: StateDict, wanted: Mapping[str, torch.Tensor]
) -> tuple[StateDict, list[str]]:
    """Take wrappers' prefixes off while the names are not the network's."""
    taken: list[str] = []
    while state.keys() != wanted.keys():
        prefix = _find_prefix(state)
        if prefix is None:
            break
        # A network that has the prefix itself is none that was wrapped.
        if any(name.startswith(prefix) for name in wanted):
            break
        state = _rename(state, prefix)
        taken.append(prefix)
    if not _has_compiled_part(state) or _has_compiled_part(wanted):
        return state, taken
    without = {}
    for name, tensor in state.items():
        own_name = name.replace(_COMPILED, "")
        without[own_name] = tensor
    # Two names may become one, which then is no network of which a part was compiled.
    if len(without) < len(state):
        return state, taken
    return without, [*taken, _COMPILED]


def _has_compiled_part(names: Iterable[str]) -> bool:
    return any(_COMPILED in name for name in names)


def _rename(state: StateDict, prefix: str) -> StateDict:
    renamed = {}
    for name, tensor in state.items():
        short = name.removeprefix(prefix)
        renamed[short] = tensor
    return renamed


def _find_prefix(state: StateDict) -> str | None:
    """Return the prefix that all names have; None where they have none of those that are known."""
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return prefix
    return None
