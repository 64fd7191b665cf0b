"""Where the nightly example lies, and which night it scores."""

import time

from tests.support.repository import REPOSITORY

NIGHTLY = REPOSITORY / "deploy/nightly"


def yesterday() -> str:
    """Return the date before today, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
