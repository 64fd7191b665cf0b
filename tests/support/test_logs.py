"""What was logged is shown with the test that failed, and only with that one."""

from collections.abc import Iterator
import logging
from typing import Any, Literal

import pytest

from tests.support.logs import LogsOfFailures


@pytest.fixture
def plugin() -> Iterator[LogsOfFailures]:
    plugin = LogsOfFailures()
    plugin.pytest_sessionstart()
    yield plugin
    plugin.pytest_sessionfinish()


@pytest.fixture
def logger() -> logging.Logger:
    logger = logging.getLogger("tests.of.logs")
    # Programs that ran before have silenced all that say nothing of themselves.
    logger.setLevel(logging.INFO)
    return logger


def end(plugin: LogsOfFailures, outcome: Literal["passed", "failed"]) -> list[tuple[str, str]]:
    """Return the sections of a report of a test that ends now."""
    report = pytest.TestReport("tests/a.py::b", ("tests/a.py", 0, "b"), {}, outcome, None, "call")
    making: Any = plugin.pytest_runtest_makereport()
    next(making)
    with pytest.raises(StopIteration):
        making.send(report)
    return report.sections


def test_what_fails_shows_what_was_logged_in_it(
    plugin: LogsOfFailures, logger: logging.Logger
) -> None:
    logger.info("of another test")
    assert end(plugin, "passed") == []
    logger.info("read %d rows", 7)
    ((title, text),) = end(plugin, "failed")
    assert title == "Captured log call"
    assert text.startswith("INFO     tests.of.logs:test_logs.py:")
    assert text.endswith(" read 7 rows")
    assert end(plugin, "failed") == []


def test_a_message_that_cannot_be_formatted_fails(
    plugin: LogsOfFailures, logger: logging.Logger
) -> None:
    with pytest.raises(TypeError, match="format"):
        logger.info("%d rows", "seven")


def test_nobody_listens_after_the_session(logger: logging.Logger) -> None:
    before = list(logging.getLogger().handlers)
    plugin = LogsOfFailures()
    plugin.pytest_sessionstart()
    assert logging.getLogger().handlers != before
    plugin.pytest_sessionfinish()
    assert logging.getLogger().handlers == before
