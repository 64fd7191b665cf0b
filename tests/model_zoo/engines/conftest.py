"""What tests of engines share."""

import pytest


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let OpenVINO load graphs of ours without a trial in a process of its own, which test_openvino_trial.py is about."""
    monkeypatch.setattr("model_zoo.engines.openvino_engine.try_in_child", lambda *given: None)
