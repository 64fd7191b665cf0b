"""What is varied, and what black and white are in it."""

import sys
from typing import Any

import numpy as np
from pydantic import ValidationError
import pytest

from configs.augmentation import Augmentation
from configs.errors import JobError
from model_zoo.arrays import Arrays
from model_zoo.package.card import Tensor
from model_zoo.steps.image import Image
from pipelines.training.pictures import make_augment

PICTURES = np.linspace(-2, 6, 5 * 3 * 4 * 4).reshape(5, 3, 4, 4).astype(np.float32)
NUMBERS = np.zeros((5, 7), dtype=np.float32)


def make(inputs: Arrays, steps: tuple[Any, ...] = (), **fields: Any) -> Any:
    pytest.importorskip("torchvision")
    tensors = {
        name: Tensor(shape=array.shape[1:], column="pixels" if name == "renamed" else None)
        for name, array in inputs.items()
    }
    return make_augment(Augmentation(flip="both", **fields), steps, tensors, inputs)


@pytest.mark.parametrize("name", ["pixels", "renamed"])
def test_black_and_white_are_what_the_image_step_makes_of_them(name: str) -> None:
    step = Image(
        step="image",
        column="file",
        into="pixels",
        height=4,
        width=4,
        mean=(0.5, 0.4, 0.3),
        std=(0.5, 0.2, 0.1),
    )
    augment = make({name: PICTURES}, (step,), rotate=3.0)
    np.testing.assert_allclose(augment.black, [-1, -2, -3])
    np.testing.assert_allclose(augment.white, [1, 3, 7])
    assert (augment.input, augment.changes.rotate, augment.changes.flip) == (name, 3.0, "both")


def test_one_mean_stands_for_all_channels() -> None:
    step = Image(step="image", column="file", into="pixels", height=4, width=4, std=(0.5,))
    augment = make({"pixels": PICTURES}, (step,))
    assert (augment.black, augment.white) == ((0.0, 0.0, 0.0), (2.0, 2.0, 2.0))


def test_without_an_image_step_they_are_the_extremes_of_the_training_rows() -> None:
    augment = make({"x": PICTURES, "age": NUMBERS})
    assert (augment.input, augment.black, augment.white) == ("x", (-2.0,) * 3, (6.0,) * 3)
    even = make({"x": np.full_like(PICTURES, 3)})
    assert (even.black, even.white) == ((3.0,) * 3, (4.0,) * 3)


def test_what_is_varied_is_named_where_several_could_be() -> None:
    both = {"front": PICTURES, "back": PICTURES, "age": NUMBERS}
    assert make(both, input="back").input == "back"
    with pytest.raises(JobError, match="input is needed: pictures are front and back"):
        make(both)


@pytest.mark.parametrize(
    ("inputs", "fields", "message"),
    [
        ({"age": NUMBERS}, {}, r"and the network takes age \(7,\); leave it out"),
        ({"x": PICTURES.astype(np.int64)}, {}, r"the network takes x \(3, 4, 4\)"),
        ({"x": np.zeros((5, 4, 4, 3), np.float32)}, {}, r"the network takes x \(4, 4, 3\)"),
        ({"x": PICTURES, "age": NUMBERS}, {"input": "age"}, "'age', which holds no pictures"),
        ({"image": PICTURES}, {"input": "imag"}, "which is no input of the network.*image"),
    ],
)
def test_what_holds_no_pictures_is_refused(
    inputs: Arrays, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(JobError, match=message):
        make(inputs, **fields)


def test_without_torchvision_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.transforms.v2", None)
    tensors = {"x": Tensor(shape=PICTURES.shape[1:])}
    with pytest.raises(JobError, match="not installed: install the extra images, or leave augment"):
        make_augment(Augmentation(noise=0.1), (), tensors, {"x": PICTURES})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "names nothing to do"),
        ({"input": "x"}, "names nothing to do"),
        ({"flip": "sideways"}, "'horizontal', 'vertical' or 'both'"),
        ({"rotate": 181}, "less than or equal to 180"),
        ({"shift": 1.0}, "less than 1"),
        ({"crop": 0}, "greater than 0"),
        ({"noise": -0.1}, "greater than or equal to 0"),
    ],
)
def test_augmentation_that_makes_no_sense_is_refused(fields: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Augmentation.model_validate(fields)
