"""What packing asks of a Keras model, on a stand-in for it; `test_your_model.py` packs real files."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from configs.errors import JobError, ModelError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
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


class Keras:
    """Stands in for the library: a model that is loaded once more, and what it is called with."""

    def __init__(self) -> None:
        self.called: list[Any] = []
        self.model = SimpleNamespace(
            layers=[SimpleNamespace(), SimpleNamespace(activation="own")], predict=self._predict
        )
        self.loaded: list[Any] = []
        self.saving = SimpleNamespace(load_model=self._load)
        self.activations = SimpleNamespace(linear="linear")
        self.tree = SimpleNamespace(flatten=lambda given: [given])

    def _load(self, path: str, compile: bool) -> Any:
        self.loaded.append((path, compile))
        return self.model

    def _predict(self, given: Any, verbose: int) -> Any:
        self.called.append((given, verbose))
        return [[1.0], [2.0]]


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Keras:
    library = Keras()
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setattr(keras_file, "import_library", lambda *_: library)
    monkeypatch.setattr(keras_file, "_export", lambda *_: ("a graph", ("a note",)))
    return library


def convert(folder: Path, activation: str, monkeypatch: pytest.MonkeyPatch, inputs: int = 1) -> Any:
    path = folder / "m.keras"
    path.write_bytes(b"content")
    names = ("x", "y")[:inputs]
    opened = open_model(**dict.fromkeys(names, ((None, 3), "float32")))
    opened.activation = activation
    monkeypatch.setattr(keras_file, "open_model", lambda *_: opened)
    job = PackagingJob[AnyStep].model_validate({"keras": str(path)})
    return keras_file.convert(job, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("taken_off", "activation", "last"),
    [
        ("sigmoid", "sigmoid", "linear"),
        ("softmax", "softmax", "linear"),
        ("none", None, "own"),
    ],
)
def test_what_is_taken_off_a_model_is_the_jobs(
    taken_off: str,
    activation: str | None,
    last: str,
    keras: Keras,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    converted = convert(tmp_path, taken_off, monkeypatch)
    assert converted.activation == activation
    # Keras' own scores are compared without it, too.
    assert keras.model.layers[-1].activation == last
    assert keras.loaded == [(str(tmp_path / "m.keras"), False)]
    assert len(converted.notes) == (1 if activation is None else 2)
    assert (converted.graph, converted.lengths) == ("a graph", {"x": 3})
    # The file is kept beside a graph, as that may round otherwise.
    assert converted.own.content == b"content"
    assert converted.own.is_always_kept


@pytest.mark.parametrize("inputs", [1, 2])
def test_keras_is_called_as_its_users_call_it(
    inputs: int, keras: Keras, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = convert(tmp_path, "none", monkeypatch, inputs)
    scores = converted.native(None, {"y": "second", "x": "first"})
    assert keras.called == [("first" if inputs == 1 else ["first", "second"], 0)]
    np.testing.assert_array_equal(scores["y"], [[1.0], [2.0]])


def test_keras_runs_on_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    job = PackagingJob[AnyStep].model_validate({"keras": str(tmp_path / "none.keras")})
    with pytest.raises(JobError, match="KERAS_BACKEND=jax: a package is scored on torch"):
        keras_file.convert(job, None)  # type: ignore[arg-type]


def test_a_file_that_is_not_there_or_none_is_told(
    keras: Keras, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = PackagingJob[AnyStep].model_validate({"keras": str(tmp_path / "none.keras")})
    with pytest.raises(JobError, match="there is no such file"):
        keras_file.convert(job, None)  # type: ignore[arg-type]

    def refuse(*_: object) -> None:
        raise ValueError("it is no .keras file")

    monkeypatch.setattr(keras_file, "open_model", refuse)
    with pytest.raises(ModelError, match=r"keras u: cannot be packed: it is no \.keras file"):
        keras_file._open(b"", None, "u")
