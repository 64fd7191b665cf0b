"""Name the folder that tests run in."""

from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
