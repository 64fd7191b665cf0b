"""A tuning report names graphs beside it, and nothing else."""

from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import JobError
from pipelines.planning.reported_graphs import locate_graph


@pytest.mark.parametrize(
    "name", ["", ".hidden", "..", "a/b.onnx", "a\\b.onnx", "/a.onnx", "a\nb", "s3://b/a.onnx"]
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    settings: Any = SimpleNamespace(graph=SimpleNamespace(url=name))
    with pytest.raises(JobError, match="which is no file beside it; run"):
        locate_graph(settings, "/r/tuning.json")


def test_settings_without_a_graph_stay_as_they_are() -> None:
    settings: Any = SimpleNamespace(graph=None)
    assert locate_graph(settings, "/r/tuning.json") is settings
