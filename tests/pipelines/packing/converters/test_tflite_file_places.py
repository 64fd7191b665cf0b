"""What packing makes of a LiteRT model's inputs and outputs, on a stand-in for it; `test_tflite_file.py` packs files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.engines.child.tflite_model import Place
from model_zoo.steps.table import AnyStep
from pipelines.packing.converters import tflite_file


def place(
    name: str, shape: tuple[int, ...] = (3,), dtype: str = "float32", scale: float = 0.0
) -> Place:
    zero = 4 if scale else 0
    return Place(name, 0, shape, np.dtype(dtype), scale, zero, is_free=True)


class Model:
    """Stands in for an interpreter: it adds up each row, and the rows that it was given together."""

    inputs: tuple[Place, ...] = (place("x"), place("n", (), "int64"))
    outputs: tuple[Place, ...] = (place("y", ()),)
    asked: tuple[int, ...] = ()

    def __init__(self, content: bytes) -> None:
        assert content == b"content"

    def __call__(self, inputs: Any) -> Any:
        Model.asked += (len(inputs["x"]),)
        return {"y": inputs["x"].sum(axis=1)}


@pytest.fixture
def convert(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return what converts a file, whose process of its own is left out."""
    started: list[Any] = []
    monkeypatch.setattr(tflite_file, "import_library", lambda *_: None)
    monkeypatch.setattr(
        tflite_file, "start_child", lambda *them, **more: started.append((them, more))
    )
    path = tmp_path / "m.tflite"

    def run(model: Any = Model) -> Any:
        path.write_bytes(b"content")
        monkeypatch.setattr(tflite_file, "Model", model)
        job = PackagingJob[AnyStep].model_validate({"tflite": str(path)})
        converted = tflite_file.convert(job, None)  # type: ignore[arg-type]
        # Before this process reads it.
        (((module, content, card), more),) = started
        assert (module, content, card) == ("model_zoo.engines.child.tflite_model", b"content", {})
        assert more["threads"] == 1
        return converted

    return run


def test_a_model_is_kept_as_its_file(convert: Any) -> None:
    kept = convert()
    assert kept.graph is None
    assert kept.own.content == b"content"
    assert kept.dtypes == {"x": "float32", "n": "int64"}
    # Of lists alone.
    assert kept.lengths == {"x": 3}
    assert kept.notes == ("its own file, as it is",)


def test_rows_are_computed_one_by_one(convert: Any) -> None:
    Model.asked = ()
    rows = np.arange(12.0).reshape(4, 3)
    scores = convert().native(None, {"x": rows, "n": np.arange(4)})
    np.testing.assert_array_equal(scores["y"], rows.sum(axis=1))
    assert Model.asked == (1, 1, 1, 1)


def test_integers_stand_for_numbers_as_the_notes_say(convert: Any) -> None:
    class Quantised(Model):
        inputs = (place("x", (2,), "int8", 0.5),)
        outputs = (place("y", (), "int8", 0.25),)

    kept = convert(Quantised)
    assert kept.dtypes == {"x": "float32"}
    assert kept.notes[1:] == (
        "x is int8: numbers / 0.5 + 4, as the file says",
        "y is int8: numbers / 0.25 + 4, as the file says",
    )


def test_names_are_told_apart_and_values_are_numbers(convert: Any) -> None:
    class Twice(Model):
        outputs = (place("x"),)

    with pytest.raises(JobError, match="several of its inputs and outputs have one name"):
        convert(Twice)


def test_other_values_are_refused(convert: Any) -> None:
    class Complex(Model):
        outputs = (place("y", (), "complex64"),)

    with pytest.raises(JobError, match="'y' is complex64, and a table of scores has numbers"):
        convert(Complex)
