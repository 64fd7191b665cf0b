"""What libraries log and warn of: whether anybody hears it, how it is written, and where to.

One place for all of them: the handlers that Python's own `basicConfig` makes.
"""

import logging
import sys
from typing import TextIO
import warnings

from pipelines.cli.log_format import JsonFormatter, TextFormatter
from pipelines.cli.terminal import flush_quietly


def quiet_libraries(debug: bool) -> None:
    """Keep libraries silent but for --debug.

    Beam logs a worker's whole traceback, and libraries warn of what no user can act on.
    """
    level = logging.INFO if debug else logging.CRITICAL
    logging.basicConfig(stream=sys.stderr, level=level)
    # Again: the first call does nothing where logging is set up already.
    root = logging.getLogger()
    # Setting it goes through the loggers of all libraries.
    if root.level != level:
        root.setLevel(level)
    for handler in _list_own_handlers():
        formatter = TextFormatter(logging.BASIC_FORMAT)
        handler.setFormatter(formatter)
    if not debug and not sys.warnoptions:
        warnings.simplefilter("ignore")


def log_libraries_in_json() -> None:
    """Write what libraries log, and what they warn of, as one JSON object a line."""
    logging.captureWarnings(True)
    for handler in _list_own_handlers():
        handler.setFormatter(JsonFormatter())


def send_library_logs(stream: TextIO) -> None:
    """Let what libraries log go to a stream from now on."""
    for handler in _list_own_handlers():
        # Not `setStream`, which fails where what is buffered cannot be written.
        flush_quietly(handler.stream)
        handler.stream = stream


def is_debugging() -> bool:
    """Tell whether libraries log more than errors, as `quiet_libraries` lets them with --debug."""
    root = logging.getLogger()
    return root.isEnabledFor(logging.INFO)


def _list_own_handlers() -> list[logging.StreamHandler[TextIO]]:
    """Return what `basicConfig` made; others, as a test runner's, belong to somebody else."""
    handlers = logging.getLogger().handlers
    # By type and not by isinstance: others derive from it.
    return [handler for handler in handlers if type(handler) is logging.StreamHandler]
