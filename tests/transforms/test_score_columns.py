"""Which scores there are by the shape of outputs, and which are written where nobody chooses."""

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from transforms.score_columns import (
    is_of_label_sets,
    is_of_tokens,
    list_default_columns,
    score_columns,
)
from transforms.scores.options import ScoreColumns
from transforms.scores.tokens import Places


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "none"])
@pytest.mark.parametrize(
    ("shape", "of_labels", "of_tokens"),
    [
        ((), False, False),
        # A single logit is about the second of two classes.
        ((1,), False, False),
        ((2,), True, False),
        ((9,), True, False),
        ((4, 9), False, True),
        ((4, 9, 2), False, False),
    ],
)
def test_shapes_tell_label_sets_and_tokens(
    activation: str, shape: tuple[int, ...], of_labels: bool, of_tokens: bool
) -> None:
    assert is_of_label_sets(activation, shape) is (of_labels and activation == "sigmoid")
    assert is_of_tokens(activation, shape) is (of_tokens and activation == "softmax")


@pytest.mark.parametrize(
    ("how", "shape", "names"),
    [
        (ScoreColumns("none"), (3,), ("out",)),
        (ScoreColumns("none", numbers=("a", "b")), (2,), ("a", "b")),
        (ScoreColumns("sigmoid"), (), ("probability", "class")),
        (ScoreColumns("sigmoid", ("a", "b")), (), ("probability", "label")),
        (ScoreColumns("sigmoid"), (3,), ("classes", "probabilities")),
        (ScoreColumns("sigmoid", ("a", "b", "c")), (3,), ("labels", "probabilities")),
        (ScoreColumns("softmax"), (4, 3), ("tokens",)),
        (
            ScoreColumns("softmax", ("a", "b", "c"), top_k=2),
            (3,),
            ("probability", "label", "top_labels", "top_probabilities"),
        ),
    ],
)
def test_what_is_written_where_nobody_chooses(
    how: ScoreColumns, shape: tuple[int, ...], names: tuple[str, ...]
) -> None:
    assert list_default_columns(how, {"out": shape}) == names


@pytest.mark.parametrize(
    ("shape", "is_cut"),
    [
        # For each token a number, or several.
        ((2, 4), False),
        ((2, 4, 3), True),
        ((2, 4, 3, 1), True),
        # Its second dimension is another one.
        ((2, 5, 3), False),
        ((2,), False),
    ],
)
def test_what_is_given_for_each_token_ends_with_them(shape: tuple[int, ...], is_cut: bool) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    how = ScoreColumns("none", tokens=4)
    column = score_columns({"out": array}, how, ["out"], Places(np.array([3, 1])))["out"]
    whole = array.tolist()
    expected = [whole[0][:3], whole[1][:1]] if is_cut else whole
    assert column.to_pylist() == expected
    assert not is_cut or pa.types.is_list(column.type)


def test_names_are_those_of_the_numbers_of_one_output() -> None:
    how = ScoreColumns("none", numbers=("width", "height"))
    array = np.array([[1, 2], [3, 4]], np.float32)
    named = score_columns({"out": array}, how, ["height", "width"])
    assert {name: column.to_pylist() for name, column in named.items()} == {
        "height": [2, 4],
        "width": [1, 3],
    }
    with pytest.raises(JobError, match="a model with one output, not of"):
        score_columns({"out": array, "other": array}, how, ["width"])


@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (2, 3, 4)])
def test_a_shape_without_classes_has_no_probabilities_of_them(shape: tuple[int, ...]) -> None:
    outputs = {"out": np.zeros((2, *shape), np.float32)}
    with pytest.raises(JobError, match="softmax does not fit a model output"):
        score_columns(outputs, ScoreColumns("softmax"), ["class"])
