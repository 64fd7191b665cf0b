"""What a program's start takes: torch and Beam are half a million objects, and all of them come in before the first row is read.

On two cores a third of that time is neither torch's nor Beam's own: Python's garbage collector goes through all objects again and
again while they come in, and Beam's RunInference imports scipy's solvers for a model manager, a way to share a machine among several
models that nothing here uses.
"""

import gc
import sys

_MODEL_MANAGER = "apache_beam.ml.inference.model_manager"


def import_quickly() -> None:
    """From now on import without those two, if this process was started as one of this package's programs; else do nothing."""
    named = [name for flag, name in zip(sys.orig_argv, sys.orig_argv[1:], strict=False) if flag == "-m"]
    if sys.argv[:1] == ["-m"] and named[:1] and named[0].startswith(f"{__package__}."):
        gc.disable()
        sys.modules.setdefault(_MODEL_MANAGER, None)  # type: ignore[arg-type] # Python then says that there is no such module


def imported() -> None:
    """Collect garbage as ever from here on, but never again look at what was imported."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    if sys.modules.get(_MODEL_MANAGER, sys) is None:
        del sys.modules[_MODEL_MANAGER]
