"""What packing asks of a Keras model, on a stand-in for it; `test_your_model.py` packs real files."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from configs.errors import JobError
from pipelines.packing.converters import keras_file
from pipelines.packing.converters.keras_file import _describe_inputs, _export, _find_lengths

FREE = torch.export.Dim.DYNAMIC


def open_model(**inputs: tuple[tuple[int | None, ...], str]) -> Any:
    """Return a model of these inputs, each with shape and dtype, that adds up what it is given."""
    tensors = [SimpleNamespace(shape=shape, dtype=dtype) for shape, dtype in inputs.values()]
    return SimpleNamespace(
        inputs=tuple(inputs),
        outputs=("y",),
        model=SimpleNamespace(inputs=tensors),
        compute=lambda given: {"y": sum(tensor.float().sum() for tensor in given)},
    )


def test_dtypes_are_those_of_the_inputs() -> None:
    opened = open_model(x=((None, 3), "float32"), kind=((None,), "int32"))
    assert _describe_inputs(opened, "m.keras") == {"x": "float32", "kind": "int32"}


def test_all_inputs_that_no_package_gives_are_told_at_once() -> None:
    opened = open_model(
        text=((None,), "string"), x=((4, 3), "float32"), y=((None,), "float32"), z=((0, 1), "int8")
    )
    with pytest.raises(JobError) as raised:
        _describe_inputs(opened, "m.keras")
    told = str(raised.value).removeprefix("keras m.keras: ").split("; ")
    assert [words.split(" takes ")[0] for words in told] == [
        "input 'text'",
        "input 'x'",
        "input 'z'",
    ]
    assert told[1].endswith("takes exactly 4 rows")
    assert told[2].endswith("takes exactly 0 rows")


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [
        ((None, 3), {"x": 3}),
        ((None, 7, 2), {"x": 7}),
        ((None,), {}),
        ((None, None), {}),
        ((None, None, 2), {}),
    ],
)
def test_how_long_lists_are_is_what_the_model_says(
    shape: tuple[int | None, ...], lengths: dict[str, int]
) -> None:
    assert _find_lengths(open_model(x=(shape, "float32"))) == lengths


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the exporter is given."""
    given: list[Any] = []
    monkeypatch.setattr(keras_file, "import_library", lambda *_: None)
    monkeypatch.setattr(keras_file, "write_graph", lambda *them: given.append(them) or "a graph")
    return given


def test_rows_and_lengths_that_the_model_leaves_open_are_free_in_the_graph(
    exported: list[Any],
) -> None:
    opened = open_model(x=((None, 3), "float32"), words=((None, None, 2), "int64"))
    graph, _ = _export(opened, {"x": "float32", "words": "int64"})
    assert graph == "a graph"
    ((_, tensors, axes, inputs, outputs),) = exported
    assert axes == [{0: FREE}, {0: FREE, 1: FREE}]
    assert (inputs, tuple(outputs)) == (["x", "words"], ("y",))
    # Several rows, and lengths that are no other axis': torch takes 1 for something that never changes.
    rows = {tensor.shape[0] for tensor in tensors}
    (row_count,) = rows
    assert row_count > 1
    assert tensors[1].shape[1] not in (1, row_count)
    assert [tensor.dtype for tensor in tensors] == [torch.float32, torch.int64]


def test_without_a_graph_the_file_alone_is_kept_and_the_reason_told(
    exported: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(keras_file, "write_graph", fail)
    graph, (note,) = _export(open_model(x=((None, 3), "float32")), {"x": "float32"})
    assert graph is None
    assert note.startswith("no ONNX graph: ")
    assert "no such operator" in note
