"""Libraries' failures in a few words of their own, and libraries that are there and do not start."""

from collections.abc import Callable
from typing import Any

from configs.errors import ModelError

# A message of a library may hold a whole graph, or its call stack.
_SHOWN_CHARACTERS = 300


def shorten_failure(error: Exception) -> str:
    r"""Return what a library's error says, in one line.

    >>> shorten_failure(ValueError("no\n  Frob"))
    'no Frob'
    >>> shorten_failure(KeyError())
    'KeyError'
    """
    words = str(error).split()
    return " ".join(words)[:_SHOWN_CHARACTERS] or type(error).__name__


def start_library(engine: str, extra: str, start: Callable[[], Any]) -> Any:
    """Return what starts an engine's library, which is installed.

    Args:
        engine: its name, for messages.
        extra: of this program, which brings it.
        start: imports it.

    Raises:
        ModelError: it does not start, as a library of the system's is missing for example.
    """
    try:
        return start()
    # Of any class: it is the library's own code that runs.
    except Exception as error:
        # No fault of the package's, which packing it again would not mend.
        raise ModelError(
            f"engine {engine} is installed here and does not start: {shorten_failure(error)}; "
            f"install its extra again where workers run: pip install --force-reinstall '.[{extra}]'"
        ) from error
