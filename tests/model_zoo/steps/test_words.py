import re
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
import pytest

from model_zoo.steps.table import AnyStep
from tests.support.repository import REPOSITORY

STEP: TypeAdapter[Any] = TypeAdapter(AnyStep)
COMPLETE = [
    {"step": "fill", "columns": ["a"], "values": [0]},
    {"step": "scale", "columns": ["a"], "factor": [2.0], "offset": [1.0]},
    {"step": "standardise", "columns": ["a"], "mean": [2.0], "scale": [1.0]},
    {"step": "one_hot", "columns": ["a"], "unknown": "zeros", "categories": [["x", "y"]]},
    {"step": "ordinal", "columns": ["a"], "unknown": "code", "categories": [["x", "y"]]},
    {"step": "cast", "columns": ["a"], "dtype": "int32"},
    {"step": "date_parts", "columns": ["a"], "parts": ["year", "hour"], "zone": "Europe/Berlin"},
    {"step": "select", "columns": ["a"], "into": "x", "method": "variance", "kept": [[0]]},
    {"step": "pca", "columns": ["a"], "into": "x", "mean": [1.0], "axes": [[2.0]]},
    {"step": "stack", "columns": ["a", "b"], "into": "x"},
    {"step": "pad", "column": "a", "shape": [4, 2], "into": "x", "mask_into": "m"},
    {"step": "text_bytes", "column": "a", "length": 8},
    {"step": "graph", "nodes": "a", "edges": ["b", "c"], "nodes_shape": [4, 2], "most_edges": 9},
    {"step": "image", "column": "a", "into": "x", "height": 8, "width": 8},
    {"step": "function", "function": "package.module:f"},
    {"step": "load_file", "column": "a", "into": "x", "root": "photos"},
]


def test_every_step_is_tried_here_and_told_of_on_the_page() -> None:
    union, _ = get_args(AnyStep)
    words = {
        word for step in get_args(union) for word in get_args(step.model_fields["step"].annotation)
    }
    # It is complete with a file alone, see test_tokenize.py.
    assert words - {fields["step"] for fields in COMPLETE} == {"tokenize"}
    page = (REPOSITORY / "docs/steps.md").read_text()
    told = re.findall(r"step: (\w+)|`(\w+)`", page)
    assert words <= {word for pair in told for word in pair}


@pytest.mark.parametrize("fields", COMPLETE, ids=lambda f: f["step"])
def test_a_complete_step_is_fitted_and_round_trips_as_json(fields: dict[str, Any]) -> None:
    step = STEP.validate_python(fields)
    assert step.is_fitted
    assert STEP.validate_json(STEP.dump_json(step)) == step
    assert hash(step) == hash(STEP.validate_python(fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "fill", "columns": ["a"], "strategy": "mean"},
        {"step": "scale", "columns": ["a"], "factor": [1.0]},
        {"step": "standardise", "columns": ["a"], "mean": [1.0]},
        {"step": "one_hot", "columns": ["a"], "unknown": "zeros"},
        {"step": "ordinal", "columns": ["a"], "unknown": "code"},
        {"step": "select", "columns": ["a"], "into": "x", "method": "variance"},
        {"step": "pca", "columns": ["a"], "into": "x", "components": 1},
        {"step": "tokenize", "column": "a", "max_tokens": 4, "vocabulary": 100},
    ],
    ids=lambda f: f["step"],
)
def test_a_step_that_lacks_state_is_not_fitted(fields: dict[str, Any]) -> None:
    assert not STEP.validate_python(fields).is_fitted


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"step": "fill", "columns": ["a", "b"], "values": [1]}, "2 columns, 1 values"),
        ({"step": "fill", "columns": ["a"]}, "values is required when strategy is constant"),
        (
            {"step": "scale", "columns": ["a"], "factor": [1.0, 2.0], "offset": [0.0]},
            "factor must hold one entry per column",
        ),
        (
            {"step": "standardise", "columns": ["a"], "mean": [], "scale": [1.0]},
            "mean must hold one entry per column",
        ),
        (
            {"step": "one_hot", "columns": ["a"], "unknown": "zeros", "categories": []},
            "categories must hold one entry",
        ),
        (
            {"step": "ordinal", "columns": ["a", "b"], "unknown": "code", "categories": [["x"]]},
            "categories must hold one entry",
        ),
        (
            {"step": "one_hot", "columns": ["a"], "unknown": "ignore"},
            "'error', 'reject' or 'zeros'",
        ),
        ({"step": "cast", "columns": [], "dtype": "int8"}, "at least 1 item"),
        ({"step": "date_parts", "columns": ["a"], "parts": []}, "at least 1 item"),
        ({"step": "date_parts", "columns": ["a"], "parts": ["day", "day"]}, "names a part twice"),
        ({"step": "date_parts", "columns": ["a"], "parts": ["week"]}, "'year', 'month', 'day'"),
        ({"step": "cast", "columns": ["a"], "dtype": "uint64"}, "dtype"),
        ({"step": "scale", "columns": ["a", "b", "a"]}, "names a column twice"),
        ({"step": "image", "column": "a", "into": "x", "height": 0, "width": 1}, "height"),
        (
            {"step": "image", "column": "a", "into": "x", "height": 1, "width": 1, "std": [0.0]},
            "std must not be 0",
        ),
        (
            {
                "step": "image",
                "column": "a",
                "into": "x",
                "height": 1,
                "width": 1,
                "mode": "L",
                "mean": [0, 0, 0],
            },
            "1 or 1 values",
        ),
        (
            {
                "step": "image",
                "column": "a",
                "into": "x",
                "height": 1,
                "width": 1,
                "mean": [0.0, 0.0],
            },
            "1 or 3 values",
        ),
        ({"step": "image", "column": "a", "into": "x", "height": 1, "width": 0}, "width"),
        (
            {"step": "image", "column": "a", "into": "x", "height": 1, "width": 1, "max_pixels": 0},
            "max_pixels",
        ),
        (
            {
                "step": "image",
                "column": "a",
                "into": "x",
                "height": 3,
                "width": 5,
                "max_pixels": 14,
            },
            "not be more than max_pixels",
        ),
        ({"step": "tokenize", "column": "a", "max_tokens": 0, "tokenizer": "{}"}, "max_tokens"),
        ({"step": "tokenize", "column": "a", "max_tokens": 4}, "says which tokenizer: tokenizer"),
        ({"step": "tokenize", "column": "a", "max_tokens": 4, "vocabulary": 9}, "equal to 64"),
        ({"step": "tokenize", "column": "a", "max_tokens": 4, "vocabulary": 1 << 30}, "1048576"),
        ({"step": "function", "function": "no_colon"}, "pattern"),
        ({"step": "function", "function": "os:_private"}, "pattern"),
        ({"step": "function", "function": "a.b:c.d"}, "pattern"),
        ({"step": "stack", "columns": ["a"], "into": "x", "extra": 1}, "Extra inputs"),
        ({"step": "nothing"}, "does not match any of the expected tags"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        STEP.validate_python(fields)
    assert words in str(caught.value)


def test_a_functions_module_is_what_stands_before_the_colon() -> None:
    assert STEP.validate_python({"step": "function", "function": "a.b.c:f"}).module == "a.b.c"


def test_what_steps_do_that_say_nothing() -> None:
    columns = {"columns": ["a"]}
    scale = STEP.validate_python({"step": "scale", **columns})
    image = STEP.validate_python(
        {"step": "image", "column": "a", "into": "x", "height": 1, "width": 1}
    )
    tokenize = STEP.validate_python(
        {"step": "tokenize", "column": "a", "max_tokens": 1, "tokenizer": "{}"}
    )
    assert (scale.range, image.mode, image.mean, image.std, image.max_pixels) == (
        (0.0, 1.0),
        "RGB",
        (0.0,),
        (1.0,),
        16_777_216,
    )
    assert (tokenize.into, tokenize.mask_into) == ("input_ids", "attention_mask")
    assert (
        STEP.validate_python({"step": "ordinal", **columns, "unknown": "code"}).unknown_code == -1
    )
    assert STEP.validate_python({"step": "fill", **columns, "values": [0]}).strategy == "constant"
    assert STEP.validate_python({"step": "stack", **columns, "into": "x"}).dtype == "float32"


@pytest.mark.parametrize(("mode", "values"), [("L", 1), ("RGB", 1), ("RGB", 3)])
def test_an_image_has_one_mean_for_all_channels_or_one_for_each(mode: str, values: int) -> None:
    fields = {
        "step": "image",
        "column": "a",
        "into": "x",
        "height": 3,
        "width": 5,
        "max_pixels": 15,
        "mode": mode,
    }
    step = STEP.validate_python({**fields, "mean": [0.5] * values, "std": [2.0] * values})
    assert len(step.mean) == len(step.std) == values
    assert step.is_fitted
