"""What settings say of themselves, in tables, manifests and reports."""

import hashlib
from typing import Any

from pydantic import TypeAdapter, ValidationError
import pytest

from model_zoo.engines.settings import Scale, Settings

SCALES = (Scale("a", 0.5, 3, 0, 255),)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "float32"),
        ({"dtype": "int8", "scales": SCALES}, "int8"),
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


def test_scales_are_told_apart_by_the_digest_that_runs_had_when_there_were_two_kinds() -> None:
    both_kinds = b'[[{"place": "a", "scale": 0.5, "zero_point": 3, "low": 0, "high": 255}], []]'
    expected = hashlib.sha256(both_kinds).hexdigest()
    assert Settings(8, "int8", scales=SCALES).as_dict()["scales"] == expected
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
