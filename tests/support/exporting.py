"""Packaging without the graph that it exports beside a network, which takes seconds.

Nearly every test that packs or trains is about something else. A test that is about the graph has the fixture `exports` of
`tests/conftest.py`; what starts a program through `Programs` gives it `EXPORTS` in its environment.
"""

import sys

import pytest

# What a program of the fork server is told to export with.
EXPORTS = {"TESTS_EXPORT": "yes"}
_MODULE = "pipelines.packing.exporting.beside_network"
# Nobody has it.
_ABSENT = ("no_exporter_in_this_test",)


def export_nothing(patch: pytest.MonkeyPatch) -> None:
    """Let packaging find no exporter, until `patch` is undone."""
    # Of a session without packaging, nothing is imported for it.
    if _MODULE in sys.modules:
        patch.setattr(f"{_MODULE}.LIBRARIES", _ABSENT)


def export(patch: pytest.MonkeyPatch) -> None:
    """Let packaging find the exporter's libraries again, until `patch` is undone."""
    patch.setattr(f"{_MODULE}.LIBRARIES", ("onnx", "onnxruntime", "onnxscript"))
