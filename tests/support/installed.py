"""Skip the tests of a module where a library is not installed, without importing it."""

from importlib.util import find_spec

import pytest


def need(library: str) -> None:
    """Go on where a library is installed: `pytest.importorskip` for one that takes seconds to import, and that quick tests do without.

    Args:
        library: its module's name.
    """
    if find_spec(library) is None:
        pytest.skip(f"needs {library}", allow_module_level=True)
