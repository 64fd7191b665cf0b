"""Show with a test that fails what was logged while it ran.

pytest's own plugin for that is left out in `pyproject.toml`: six times in each test it goes through the loggers of all libraries that were
imported, of which Beam's alone are more than a thousand, and that took a fortieth of the time of all tests.
"""

from collections.abc import Iterator
import io
import logging
from typing import Any

import pytest

_FORMAT = "%(levelname)-8s %(name)s:%(filename)s:%(lineno)d %(message)s"


class _Kept(logging.StreamHandler[io.StringIO]):
    """Keep what is logged; a class of its own, as programs set up every plain StreamHandler anew."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        """Let a message that cannot be formatted fail the test."""
        raise


class LogsOfFailures:
    """A plugin of pytest, with one handler for the whole session."""

    def __init__(self) -> None:
        self._handler = _Kept(io.StringIO())
        self._handler.setFormatter(logging.Formatter(_FORMAT))

    def pytest_sessionstart(self) -> None:
        """Listen from here on; where nobody listens, Python writes warnings to stderr."""
        logging.getLogger().addHandler(self._handler)

    def pytest_sessionfinish(self) -> None:
        """Listen no more."""
        logging.getLogger().removeHandler(self._handler)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[Any]:
        """Give what was logged in a phase of a test to its report, and forget it."""
        report: pytest.TestReport = yield
        logged = self._handler.stream.getvalue()
        if logged:
            self._handler.setStream(io.StringIO())
        if logged and report.failed:
            title = f"Captured log {report.when}"
            report.sections.append((title, logged.rstrip()))
        return report
