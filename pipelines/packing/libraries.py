"""Libraries that packaging needs: imported, or asked for by name, and their versions."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from model_zoo.extras import import_extra


def import_library(library: str, extra: str) -> Any:
    """Import what packaging a model needs.

    Args:
        library: its module.
        extra: the extra of this program that brings it.

    Raises:
        JobError: it is not installed.
    """
    return import_extra(
        library,
        f"packaging this model needs {library}, which is not installed here; "
        f"install the extra: pip install '.[{extra}]'",
    )


def list_versions(libraries: Sequence[str]) -> dict[str, str]:
    """Return the versions of libraries that are installed here."""
    return {name: version(name) for name in libraries}
