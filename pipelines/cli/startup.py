"""What makes a program's start quick, before anything else is imported.

torch and Beam are half a million objects, and all of them come in before the first row is read. On
two cores half of that time is neither torch's nor Beam's own: Python's garbage collector goes
through all objects again and again while they come in, and Beam imports what nothing here uses:
scipy's solvers for a way to share a machine among several models, and clients of databases.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import gc
import itertools
import logging
import os
import sys

from pipelines.cli.terminal import hold_standard_files
from pipelines.runners.beam_private import leave_out_unused, let_in_unused

_PANDAS = "pandas"
_PROGRAMS = "pipelines."
# Whether this process was started as one of this package's programs.
_is_program = False


def prepare_imports() -> None:
    """Make the imports of one of this package's programs quick and silent.

    Nothing happens when some other program imports this package.
    """
    global _is_program
    if not _is_of_ours():
        return
    _is_program = True
    # Before an import opens a file.
    hold_standard_files()
    # grpc tells on stderr, among the lines for people, of connections that a server lets go. It reads
    # this when it is imported; workers inherit it.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # Importing Beam logs a warning that its BigQuery parts are not installed, and nothing here uses
    # them. `run_program` sets the level again.
    logging.getLogger().setLevel(logging.ERROR)
    gc.disable()
    leave_out_unused()


def is_program() -> bool:
    """Tell whether this process is one of this package's programs.

    In any other one, as a notebook or a worker of Airflow that calls `main`, somebody else may need what a
    program leaves out.
    """
    return _is_program


@contextmanager
def quick_imports() -> Iterator[None]:
    """Make the imports of Beam and torch quick, where a program does them later than at its top."""
    # Those that are there already took their time.
    if not _is_program or "apache_beam" in sys.modules:
        yield
        return
    gc.disable()
    leave_out_unused()
    try:
        yield
    finally:
        end_imports()


@contextmanager
def pandas_left_out(is_unused: bool) -> Iterator[None]:
    """Keep pandas from coming in in the block, where pyarrow and Beam import it because it is installed.

    pyarrow looks for it once: from then on it takes what it is given for no pandas objects.

    Args:
        is_unused: whether nobody in this process is going to hand pandas objects to pyarrow.
    """
    if not is_unused or _PANDAS in sys.modules:
        yield
        return
    # They then go on without. Not as Beam's modules are left out: pyarrow would take None for pandas.
    sys.meta_path.insert(0, _NoPandas)
    try:
        yield
    finally:
        # A library may want it for itself.
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """Finds that there is no pandas; one of the finders that Python asks in turn."""

    @classmethod
    def find_spec(
        cls,
        name: str,
        path: object = None,
        target: object = None,
    ) -> None:
        """Return None, for the next finder, of all other modules.

        Raises:
            ModuleNotFoundError: of pandas.
        """
        if name == _PANDAS:
            raise ModuleNotFoundError(f"{name} is left out", name=name)


def end_imports() -> None:
    """Collect garbage as ever from here on, but never again look at what was imported."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    let_in_unused()


def _is_of_ours() -> bool:
    """Tell whether Python is at `python -m pipelines.<program>`, come as far as its package."""
    # While Python looks for the module, the first argument is the flag; later it is the module's
    # file.
    if sys.argv[:1] != ["-m"]:
        return False
    for flag, module in itertools.pairwise(sys.orig_argv):
        # The first one is Python's own; later ones belong to the program.
        if flag == "-m":
            return module.startswith(_PROGRAMS)
    return False
