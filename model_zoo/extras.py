"""Libraries that come with an extra of this program, and may not be installed."""

from importlib import import_module
from typing import Any

from configs.errors import JobError


def import_extra(module: str, refusal: str) -> Any:
    """Import a module of such a library.

    Args:
        module: its name.
        refusal: what is said where it is not installed: for what it is needed, and which extra
            brings it.

    Raises:
        JobError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise JobError(refusal) from error
