"""torch's kernels for its meta device, which nobody needs who only calls a network.

A tensor on the meta device has a shape and no numbers. Much of what torch can do with one is written in
Python, and importing that takes a quarter of the time that `import torch` takes. Tracing needs it
(torch.compile, torch.export), and so may a library's or a user's network while it is built.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import sys
from types import ModuleType

# Should torch move them, they are imported with it as ever, and tests/model_zoo/test_meta_kernels.py fails.
_KERNELS = "torch._meta_registrations"


@contextmanager
def meta_kernels_left_out(are_unused: bool) -> Iterator[None]:
    """Have torch imported without these kernels in the block.

    What torch then cannot do on its meta device it refuses with NotImplementedError; our own networks
    are outlined there by what is left. Some parts of torch that trace cannot be imported later.

    Args:
        are_unused: whether that is known; otherwise all of torch is imported.
    """
    # Imported with them, by whoever was first.
    if not are_unused or "torch" in sys.modules:
        yield
        return
    stand_in = ModuleType(_KERNELS)
    sys.modules[_KERNELS] = stand_in
    try:
        yield
    finally:
        # For whoever asks for them by name.
        if sys.modules.get(_KERNELS) is stand_in:
            del sys.modules[_KERNELS]
