"""Every hold on a part of torch that is not public, so that a new version can break one file only.

Imported lazily where it may be: torch's compiler and its quantisation take seconds to import.
"""

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import re
import shutil
from typing import Any
import warnings

import torch
from torch import nn
from torch.fx import GraphModule

Inputs = Mapping[str, torch.Tensor]
# Which files are mapped into this process; on Linux only.
_MAPPED = Path("/proc/self/maps")
_GRAPH_QUANTISATION = "ao/quantization/quantize_fx.py"
_UNPACKED = re.compile(r"(/.*/aotinductor_\w+)/")


def write_machine_code(network: nn.Module, example: Inputs, path: Path) -> None:
    """Compile a network with AOTInductor.

    Args:
        network: in eval mode.
        example: a mini-batch; the machine code takes its shapes and strides alone.
        path: where the machine code is written, a `.pt2` file.

    Raises:
        Exception: inductor and the C++ compiler have error classes of their own.
    """
    _keep_caches_in_one_folder()
    from torch._inductor import aoti_compile_and_package

    # One thread, as everywhere: a sum that is spread over threads rounds differently.
    options = {"freezing": True, "cpp.threads": 1}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch about itself
        inputs = dict(example)
        exported = torch.export.export(network, args=(), kwargs=inputs)
        aoti_compile_and_package(
            exported,
            package_path=str(path),
            inductor_configs=options,
        )


def load_machine_code(path: Path, runners: int, device: torch.device) -> Any:
    """Load what `write_machine_code` has written.

    Args:
        path: the `.pt2` file.
        runners: threads that call it at the same time.
        device: where it computes.
    """
    _keep_caches_in_one_folder()
    from torch._inductor.package.package import load_package

    # -1 is torch's word for the device without a number.
    index = device.index
    if index is None:
        index = -1
    loaded = load_package(
        str(path),
        num_runners=runners,
        device_index=index,
    )
    # A GPU's kernels are read from there when they are called first.
    if device.type == "cpu":
        _remove_unpacked()
    else:
        atexit.register(_remove_unpacked)
    return loaded


def _remove_unpacked() -> None:
    """Remove the folders into which torch has unpacked the machine code that this process runs.

    torch does so when nobody holds the code any more, and a process that ends at once never comes
    to that. What is mapped into memory needs no name.
    """
    # Should torch name them otherwise, they stay behind again; tests/model_zoo/engines looks.
    with suppress(OSError):
        for folder in set(_UNPACKED.findall(_MAPPED.read_text())):
            shutil.rmtree(folder, ignore_errors=True)


def _keep_caches_in_one_folder() -> None:
    """Have inductor keep in `TORCHINDUCTOR_CACHE_DIR` what it keeps in the temporary folder even so.

    Those are headers that were compiled ahead, and results that are pickled. What another user puts
    into `/tmp/torchinductor_<user>` would become machine code of ours.
    """
    from torch._inductor.runtime import cache_dir_utils, runtime_utils

    # Should the name go, this sets nothing, and tests/model_zoo/engines/test_compiled.py finds files
    # in the temporary folder. First here: others take it from these two when they are imported.
    for module in (cache_dir_utils, runtime_utils):
        vars(module)["default_cache_dir"] = cache_dir_utils.cache_dir

    from torch._inductor import codecache
    from torch._inductor.runtime.caching import implementations

    # These may have been imported before, by torchvision for example.
    for taken in (codecache, implementations):
        vars(taken)["default_cache_dir"] = cache_dir_utils.cache_dir
    cache = cache_dir_utils.cache_dir()
    headers = os.path.join(cache, "precompiled_headers")
    vars(codecache)["_HEADER_DIR"] = headers
    vars(codecache)["_HEADER_LOCK_DIR"] = os.path.join(headers, "locks")


def has_graph_quantisation() -> bool:
    """Tell whether torch can still quantise a traced network: its own notes say that this will go."""
    # Looked for as a file: to look for a module imports the packages above it, which takes a second.
    folder = Path(torch.__file__).parent
    return (folder / _GRAPH_QUANTISATION).exists()


def has_backend(name: str) -> bool:
    """Tell whether torch has a backend for networks in 8 bits here."""
    return name in torch.backends.quantized.supported_engines


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Quantise in this block with a backend, which is then chosen for the whole process."""
    torch.backends.quantized.engine = name
    with warnings.catch_warnings(), _leave_out_stack_traces():
        warnings.simplefilter("ignore")  # torch advises a successor that does not do this yet
        yield


@contextmanager
def _leave_out_stack_traces() -> Iterator[None]:
    """Trace without noting where each operation stands in the source."""
    # For the notes, torch would import its compiler, which takes two seconds.
    config = torch.fx.config
    before = config.do_not_emit_stack_traces
    config.do_not_emit_stack_traces = True
    try:
        yield
    finally:
        config.do_not_emit_stack_traces = before


def prepare_int8(
    network: nn.Module,
    example: Inputs,
    defaults: str,
) -> GraphModule:
    """Return the traced network, with an observer wherever values become 8-bit integers.

    Args:
        network: in eval mode.
        example: a mini-batch.
        defaults: the backend whose ranges are taken.

    Raises:
        Exception: whatever tracing meets in a network that was not written for it.
    """
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_fx

    ranges = get_default_qconfig_mapping(defaults)
    tensors = tuple(example.values())
    prepared: GraphModule = prepare_fx(network, ranges, tensors)
    return prepared


def list_observers(prepared: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the observers of a prepared network, with their places in it."""
    from torch.ao.quantization import ObserverBase

    # One observer may stand in several places, and each of them is named.
    for place, module in prepared.named_modules(remove_duplicate=False):
        if isinstance(module, ObserverBase):
            yield place, module


def fix_scale(
    prepared: nn.Module,
    place: str,
    scale: float,
    zero_point: int,
    bounds: tuple[int, int],
) -> None:
    """Replace an observer of a prepared network by a scale.

    Args:
        prepared: as `prepare_int8` returns it; it is changed in place.
        place: of the observer.
        scale, zero_point: `round(value / scale) + zero_point` is the integer.
        bounds: the smallest and the largest integer.
    """
    from torch.ao.quantization import FixedQParamsObserver

    low, high = bounds
    fixed = FixedQParamsObserver(
        scale,
        zero_point,
        dtype=torch.quint8,
        quant_min=low,
        quant_max=high,
    )  # type: ignore[no-untyped-call]
    above, _, name = place.rpartition(".")
    parent = prepared.get_submodule(above)
    setattr(parent, name, fixed)


def convert_int8(prepared: GraphModule) -> nn.Module:
    """Return a prepared network in 8 bits."""
    from torch.ao.quantization.quantize_fx import convert_fx

    converted: nn.Module = convert_fx(prepared)
    return converted
