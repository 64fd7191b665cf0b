"""What settings say of themselves, in tables, manifests and reports."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
import pytest

from model_zoo.engines.settings import LinearScale, Scale, Settings

LINEAR = (LinearScale("a", 0.5, 3, (1.0,)), LinearScale("b", 0.25, 0, (2.0,)))
SCALES = (Scale("a", 0.5, 3, 0, 255),)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "float32"),
        ({"dtype": "int8", "scales": SCALES}, "int8"),
        ({"dtype": "int8_linear", "linear_scales": LINEAR[:1]}, "int8_linear (1 layer)"),
        ({"dtype": "int8_linear", "linear_scales": LINEAR}, "int8_linear (2 layers)"),
        ({"layout": "channels_last"}, "float32 channels_last"),
        ({"dtype": "bfloat16", "compiled": True}, "bfloat16 compiled"),
        (
            {"engine": "onnx", "layout": "channels_last", "compiled": True},
            "onnx float32 channels_last compiled",
        ),
    ],
)
def test_settings_are_shown_in_a_few_words(fields: dict[str, Any], text: str) -> None:
    assert str(Settings(8, **fields)) == text


@pytest.mark.parametrize("fields", [{"scales": SCALES}, {"linear_scales": LINEAR}])
def test_scales_of_either_kind_are_told_apart_by_a_digest(fields: dict[str, Any]) -> None:
    digest = Settings(8, **fields).as_dict()["scales"]
    assert len(digest) == 64
    assert Settings(8).as_dict() == {
        "batch_rows": 8,
        "dtype": "float32",
        "layout": "contiguous",
        "compiled": False,
        "scales": None,
    }


def test_the_smallest_mini_batch_has_one_row() -> None:
    adapter = TypeAdapter(Settings)
    assert adapter.validate_python({"batch_rows": 1}) == Settings(1)
    with pytest.raises(ValidationError, match="batch_rows"):
        adapter.validate_python({"batch_rows": 0})
