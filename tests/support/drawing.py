"""Training without the pictures of its report, which take as long as the training of a small model.

Nearly every test that trains is about something else. A test that is about the pictures calls `draw`; a program that a test starts
draws as it does for a user.
"""

import sys

import pytest

_MODULE = "pipelines.training.report"


def draw_nothing(patch: pytest.MonkeyPatch) -> None:
    """Let reports find no matplotlib, until `patch` is undone."""
    # Of a session without training, nothing is imported for it.
    if _MODULE in sys.modules:
        patch.setattr(f"{_MODULE}.can_draw", lambda: False)


def draw(patch: pytest.MonkeyPatch) -> None:
    """Let reports find matplotlib again, where it is installed."""
    from pipelines.pages.drawing import can_draw

    patch.setattr(f"{_MODULE}.can_draw", can_draw)
