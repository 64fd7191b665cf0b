"""What tests in this process need not do again and again, though programs do.

Tests run a thousand jobs, each of which reads the same cards and waits for a disk that nobody unplugs: a fifth of the time of all.
What is remembered is what was made of the very same text, so nothing is left out but the repetition. A program that a test starts
knows nothing of this.
"""

from functools import lru_cache
import gettext
import os
import pickle
from typing import Any

import pytest
import yaml

# Larger texts are made by tests of limits, which are to meet the parser.
_MOST_CHARACTERS = 50_000
_MOST_TEXTS = 2_000


def wait_for_no_disk(patch: pytest.MonkeyPatch) -> None:
    """Let `os.fsync` return at once, until `patch` is undone; what is no open file is still refused.

    Whether and when it is called is told by the tests that watch it here, and of real programs by `tests/faults/test_durability.py`.
    """
    patch.setattr(os, "fsync", _check_descriptor)


def _check_descriptor(file: Any) -> None:
    number = file if isinstance(file, int) else file.fileno()
    os.fstat(number)


def look_once_for_translations(patch: pytest.MonkeyPatch) -> None:
    """Let argparse ask the disk once, and not for every flag of Beam's, whether its words are translated."""
    patch.setattr(gettext, "find", lru_cache(maxsize=100)(gettext.find))


def remember_yaml(patch: pytest.MonkeyPatch) -> None:
    """Parse each short text once with each loader, until `patch` is undone; who asks gets values of their own."""
    parse = yaml.load

    # One that is refused is not remembered, and is refused by the parser each time.
    @lru_cache(maxsize=_MOST_TEXTS)
    def pickled(text: str, loader: type) -> bytes:
        value = parse(text, Loader=loader)
        return pickle.dumps(value)

    def load(text: Any, Loader: type) -> Any:  # noqa: N803 - PyYAML's own name
        if not isinstance(text, str) or len(text) > _MOST_CHARACTERS:
            return parse(text, Loader=Loader)
        return pickle.loads(pickled(text, Loader))

    patch.setattr(yaml, "load", load)
