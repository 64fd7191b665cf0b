"""Graphs without the trial in a process of its own that a worker gives each of them first, which takes a second.

Graphs of tests are ours. A test that is about the trial has the fixture `trials` of `tests/conftest.py`; programs try all of them.
"""

import sys

import pytest

_PASSED = "model_zoo.engines.graph_trial._passed"
_MARKED = "model_zoo.package.cache.has_mark"


class _Everything:
    """Stands in for the set of trials that were passed."""

    def __contains__(self, trial: object) -> bool:
        return True

    def add(self, trial: object) -> None: ...


def try_no_graph(patch: pytest.MonkeyPatch) -> None:
    """Let every graph have passed its trial, until `patch` is undone."""
    # Engines need it; of a session without them, nothing is imported for it.
    if "torch" in sys.modules:
        patch.setattr(_PASSED, _Everything())


def try_graphs(patch: pytest.MonkeyPatch) -> None:
    """Let graphs be tried again, until `patch` is undone."""
    patch.setattr(_PASSED, set())
    # Whatever earlier tests have tried.
    patch.setattr(_MARKED, lambda folder, mark: False)
