"""Which forms of a model that came as a file are kept: its graph, the library's own file, or both."""

from types import SimpleNamespace
from typing import Any

import pytest

from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.converters.converted import OwnForm
from pipelines.packing.graph_content import _make_own_files


@pytest.mark.parametrize(
    ("has_graph", "native", "is_always_kept", "is_kept"),
    [
        (True, False, False, False),
        # The author wants both, or the library's own scores are what the file is for.
        (True, True, False, True),
        (True, False, True, True),
        # Without a graph there is nothing else to score with.
        (False, False, False, True),
        (False, True, True, True),
    ],
)
def test_a_librarys_own_file_is_kept_where_there_is_no_graph_or_both_are_wanted(
    has_graph: bool, native: bool, is_always_kept: bool, is_kept: bool
) -> None:
    job = PackagingJob[AnyStep].model_validate({"xgboost": "m.ubj", "native": native})
    own = OwnForm("xgboost", b"trees", is_always_kept=is_always_kept)
    converted: Any = SimpleNamespace(graph=object() if has_graph else None, own=own)
    held = _make_own_files(job, converted)
    assert list(held.contents.values()) == ([b"trees"] if is_kept else [])
    assert list(held.card.get("forms", {})) == (["xgboost"] if is_kept else [])


@pytest.mark.parametrize("has_graph", [True, False])
def test_what_has_no_file_of_its_own_keeps_none(has_graph: bool) -> None:
    job = PackagingJob[AnyStep].model_validate({"onnx": "m.onnx"})
    converted: Any = SimpleNamespace(graph=object() if has_graph else None, own=None)
    assert _make_own_files(job, converted).contents == {}
