"""Read what a program logs with `--log_format=json`."""

import json
from typing import Any


def lines_of(text: str) -> list[dict[str, Any]]:
    """Return every line as an object; fails for a line that is none."""
    return [json.loads(line) for line in text.splitlines()]
