"""Keep the memory of freed arrays for those that follow, where glibc allocates.

Batch after batch makes arrays of the same sizes. A large one goes back to the system as soon as it is
freed, and the next one comes from there again, page by page, each of which the kernel has to clear.
glibc learns from each array that is freed to keep others of its size, and so comes to this by itself;
of a run of some seconds that is too late. Arrow has an allocator of its own, which gives pages back
much sooner, so that what is read comes from new ones again and again.
"""

import ctypes
import os

import pyarrow as pa

# What glibc itself comes to at most, see mallopt(3): arrays of up to so many bytes are kept,
_KEPT_BYTES = 32 << 20
# and no more than twice that lies free.
_FREE_BYTES = 2 * _KEPT_BYTES
# Their names in malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# Whoever sets one of them has decided.
_SETTINGS = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
_ARROW_SETTING = "ARROW_DEFAULT_MEMORY_POOL"


def keep_freed_memory() -> None:
    """Have this process keep what it frees; other allocators, and what the environment says, stay as they are."""
    if any(name in os.environ for name in _SETTINGS):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _FREE_BYTES)
    if _ARROW_SETTING not in os.environ:
        pa.set_memory_pool(pa.system_memory_pool())
