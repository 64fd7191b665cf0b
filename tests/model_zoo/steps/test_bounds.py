"""What numbers of a step may be: the last one that is taken, the first that is not; and what stands where nothing is said."""

from typing import Any

from pydantic import ValidationError
import pytest

from model_zoo.steps.date_parts import DateParts
from model_zoo.steps.graph import Graph
from model_zoo.steps.image import Image
from model_zoo.steps.load_file import LoadFile
from model_zoo.steps.pad import Pad
from model_zoo.steps.pca import Pca
from model_zoo.steps.select import Select
from model_zoo.steps.step import StepModel
from model_zoo.steps.tokenize import Tokenize

SAID: dict[type[StepModel], dict[str, Any]] = {
    DateParts: {"step": "date_parts", "columns": ["day"]},
    Graph: {
        "step": "graph",
        "nodes": "nodes",
        "edges": ["ends"],
        "nodes_shape": [4, 3],
        "most_edges": 5,
    },
    Image: {"step": "image", "column": "c", "into": "x", "height": 8, "width": 8},
    LoadFile: {"step": "load_file", "column": "path", "into": "content", "root": "/files"},
    Pad: {"step": "pad", "column": "c", "into": "x", "shape": [4]},
    Pca: {"step": "pca", "columns": ["a"], "into": "x"},
    Select: {"step": "select", "columns": ["a"], "into": "x", "method": "l1"},
    Tokenize: {"step": "tokenize", "column": "c", "max_tokens": 8, "vocabulary": 2000},
}
# Above, or below it.
UP, DOWN = 1, -1
BOUNDS: list[tuple[type[StepModel], str, int, int]] = [
    (Image, "height", 1, DOWN),
    (Image, "width", 1, DOWN),
    (Image, "resize_height", 1, DOWN),
    (Image, "resize_width", 1, DOWN),
    (LoadFile, "max_bytes", 1, DOWN),
    (LoadFile, "max_bytes", 1 << 30, UP),
    (Pca, "components", 1, DOWN),
    (Select, "k", 1, DOWN),
    (Select, "threshold", 0, DOWN),
    (Tokenize, "max_tokens", 1, DOWN),
    (Tokenize, "vocabulary", 64, DOWN),
    (Tokenize, "vocabulary", 1 << 20, UP),
]


def make(kind: type[StepModel], **fields: Any) -> Any:
    """Return a step, of which these fields are said beside what it needs."""
    return kind.model_validate({**SAID[kind], **fields})


@pytest.mark.parametrize(("kind", "field", "last", "beyond"), BOUNDS)
def test_a_number_ends_there(kind: type[StepModel], field: str, last: int, beyond: int) -> None:
    assert getattr(make(kind, **{field: last}), field) == last
    with pytest.raises(ValidationError, match=field):
        make(kind, **{field: last + beyond})


@pytest.mark.parametrize(
    ("kind", "field", "taken", "refused"),
    [
        (Pca, "variance", [0.001, 0.999], [0, 1]),
        (Select, "strength", [0.001, 5.0], [0]),
        (Pad, "shape", [[1], [1 << 27], [2, 2, 2]], [[0], [(1 << 27) + 1], [], [2, 2, 2, 2]]),
        (Graph, "nodes_shape", [[1], [4, 3]], [[], [0], [4, 3, 2]]),
        (Graph, "attributes_shape", [[], [3]], [[3, 2]]),
        (Graph, "edges", [["a"], ["a", "b"]], [[], ["a", "b", "c"]]),
    ],
)
def test_what_is_taken_ends_there(
    kind: type[StepModel], field: str, taken: list[Any], refused: list[Any]
) -> None:
    for value in taken:
        # No vectors without a column of them.
        also = {"attributes": "weights"} if field == "attributes_shape" else {}
        make(kind, **{field: value}, **also)
    for value in refused:
        with pytest.raises(ValidationError, match=field):
            make(kind, **{field: value})


def test_a_picture_may_be_as_large_as_its_pixels_may_be_many() -> None:
    make(Image, max_pixels=64)
    with pytest.raises(ValidationError, match="max_pixels, 63, got 8 x 8"):
        make(Image, max_pixels=63)
    make(Image, height=4096, width=4096)
    with pytest.raises(ValidationError, match="max_pixels, 16777216, got 4096 x 4097"):
        make(Image, height=4096, width=4097)


DEFAULTS: list[tuple[type[StepModel], dict[str, Any]]] = [
    (DateParts, {"parts": ("year", "month", "day", "weekday"), "cyclic": False, "zone": "UTC"}),
    (
        Image,
        {
            "mode": "RGB",
            "mean": (0.0,),
            "std": (1.0,),
            "max_pixels": 4096 * 4096,
            "resize": "exact",
            "resize_height": None,
            "resize_width": None,
            "interpolation": "bilinear",
            "crop_starts": "rounded",
            "resize_with": "torch",
            "decoding": "whole",
        },
    ),
    (LoadFile, {"max_bytes": 64 * 1024**2}),
    (Pad, {"longer": "reject", "shorter": "pad", "mask_into": None}),
    (Tokenize, {"into": "input_ids", "mask_into": "attention_mask", "tokenizer": ""}),
]


@pytest.mark.parametrize(("kind", "expected"), DEFAULTS)
def test_what_stands_where_nothing_is_said(kind: type[StepModel], expected: dict[str, Any]) -> None:
    step = make(kind)
    assert {name: getattr(step, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (Pca, {}, "says how many"),
        (Pca, {"components": 2, "variance": 0.5}, "says how many"),
        (Select, {"k": 1, "threshold": 0.5}, "says how many twice"),
        (Select, {"method": "mutual_information"}, "k or threshold is required"),
        (Select, {"method": "variance", "strength": 0.1}, "strength is of method l1 alone"),
        (Select, {"kept": [[]]}, "kept must hold one number or more"),
        (Tokenize, {"vocabulary": None}, "says which tokenizer"),
        (Pca, {"mean": [1], "axes": []}, "axes must hold one component or more"),
        (Pca, {"mean": [1], "axes": [[1], [1, 2]]}, "each of axes must hold 1 numbers"),
        (Pca, {"mean": [1], "axes": [[1, 2]]}, "each of axes must hold 1 numbers"),
        (Pca, {"mean": [1], "axes": [[1]], "deviations": [1, 1]}, "deviations must hold one"),
        (Pca, {"mean": [1], "axes": [[1]], "deviations": [0]}, "deviations must hold one"),
    ],
)
def test_what_says_too_little_or_too_much_is_refused(
    kind: type[StepModel], fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        make(kind, **fields)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Pca, {"components": 2}),
        (Pca, {"variance": 0.5}),
        (Select, {"k": 1}),
        (Select, {"threshold": 0}),
        (Select, {"method": "mutual_information", "k": 1}),
        (Select, {"method": "mutual_information", "threshold": 0.5}),
        (Select, {"method": "variance"}),
        (Select, {"strength": 0.1}),
        (Select, {"columns": ["a", "b"], "kept": [[], [0]]}),
        (Pca, {"mean": [1, 2], "axes": [[1, 2]], "deviations": [1]}),
        (Tokenize, {"vocabulary": None, "tokenizer": "{}"}),
    ],
)
def test_what_says_enough_is_taken(kind: type[StepModel], fields: dict[str, Any]) -> None:
    make(kind, **fields)


@pytest.mark.parametrize("kind", SAID)
def test_a_step_is_never_changed_and_takes_no_word_that_it_does_not_know(
    kind: type[StepModel],
) -> None:
    step = make(kind, **({"components": 1} if kind is Pca else {}))
    with pytest.raises(ValidationError, match="frozen"):
        step.step = "other"
    with pytest.raises(ValidationError, match="strange"):
        make(kind, strange=1)
