"""A folder for each test, as pytest's own `tmp_path`: its name begins as the test's does, and it stays where the test fails.

pytest finds the next number by looking through all that lies beside it, and there is a link to each test's newest folder: together a
third of a millisecond, ten thousand times. Here a counter tells the number, and nobody follows links.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
import re
import shutil

from _pytest.tmpdir import tmppath_result_key
import pytest

# What is longer leaves no room for the path of a socket.
_MOST_CHARACTERS = 29
_numbers = count()


def make_own_folder(parent: Path, test: pytest.Item) -> Iterator[Path]:
    """Yield a new folder for a test, and remove it if the test has passed."""
    name = re.sub(r"\W", "_", test.name)[:_MOST_CHARACTERS]
    # Numbers stand apart, as names may end with digits.
    folder = parent / f"{name}_{next(_numbers)}"
    folder.mkdir(mode=0o700)
    yield folder
    has_passed = test.stash[tmppath_result_key].get("call", True)
    if has_passed:
        shutil.rmtree(folder, ignore_errors=True)
