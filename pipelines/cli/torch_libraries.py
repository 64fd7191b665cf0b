"""torch's libraries, loaded on another core while Python imports other modules.

They are half a gigabyte of machine code, and a third of what `import torch` takes is the linker: it maps
them, writes addresses into them, and has them initialise themselves. While an import does that, Python
keeps all of its threads waiting; while one of them calls the linker itself, the others go on.
"""

from contextlib import suppress
import ctypes
from importlib import import_module
from importlib.util import find_spec
import os
from pathlib import Path
import threading

# The linker does one thing at a time, so that Python would wait for it all the same at the next module of
# machine code. These are, or import, all those that a program meets before torch; whatever is missing
# here costs that wait, and nothing else.
_IMPORTED_FIRST = (
    "mmap",
    "resource",
    "statistics",
    "unicodedata",
    "zoneinfo",
    "fsspec",
    "yaml",
    "pydantic.types",
    "pyarrow.compute",
    "pyarrow.fs",
    "pyarrow.parquet",
)
# In the order of `import torch`. The one that calls Python is left to it: what that has done at its loading
# could want Python's lock, which may be held by who waits for the linker.
_LIBRARIES = (
    ("libtorch_global_deps.so", os.RTLD_NOW | os.RTLD_GLOBAL),
    ("libtorch.so", os.RTLD_NOW | os.RTLD_LOCAL),
)


def load_torch_libraries_aside() -> None:
    """Begin to load torch's libraries in a thread; `import torch` finds them, or waits for them."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return
    package = Path(spec.origin).parent
    if _loads_others_before(package):
        return
    for name in _IMPORTED_FIRST:
        # Whoever needs it tells that it cannot be imported.
        with suppress(ImportError):
            import_module(name)
    # No daemon: a process that ends as Python does, as of an import that fails, would take apart what the
    # linker is just putting together, and crash. A program's own end (`end_process`) waits for nobody.
    thread = threading.Thread(target=_load_libraries, args=[package / "lib"])
    thread.start()


def _loads_others_before(package: Path) -> bool:
    """Tell whether `import torch` sees to it that its libraries find the right ones of CUDA or ROCm.

    The linker, asked before that, would take those that it finds first.
    """
    # Of CUDA's own libraries, some look there before they look beside them.
    names_folders = bool(os.environ.get("LD_LIBRARY_PATH"))
    return names_folders or (package / "_rocm_init.py").exists()


def _load_libraries(folder: Path) -> None:
    # Not by `ctypes.CDLL`, which keeps Python's lock.
    load = ctypes.CDLL(None).dlopen
    load.restype = ctypes.c_void_p
    for name, mode in _LIBRARIES:
        path = os.fsencode(folder / name)
        # `import torch` tries it again, in ways of its own too, and tells why it cannot be.
        if load(path, mode) is None:
            return
