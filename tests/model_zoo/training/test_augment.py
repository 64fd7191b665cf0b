"""Pictures that are varied: what torchvision's own functions make of them, drawn from the generator alone."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
import torch

from model_zoo.arrays import Arrays
from model_zoo.training.augment import PictureAugment, PictureChanges
from model_zoo.training.repeatable import repeatable

pytest.importorskip("torchvision")
DIGITS = (load_digits().images[:40] / 16).astype(np.float32)[:, None]
EVERYTHING = PictureChanges(flip="both", rotate=20, shift=0.1, crop=0.8, brightness=0.3, noise=0.05)


def vary(pictures: np.ndarray, seed: int = 0, changes: Any = None, **fields: Any) -> np.ndarray:
    changes = changes or PictureChanges(**fields)
    channels = pictures.shape[1]
    augment = PictureAugment("x", changes, (0.0,) * channels, (1.0,) * channels)
    return augment({"x": pictures}, np.random.default_rng(seed))["x"]


@pytest.mark.parametrize(
    ("flip", "forms"),
    [
        ("horizontal", [(slice(None), slice(None, None, -1))]),
        ("vertical", [(slice(None, None, -1), slice(None))]),
        (
            "both",
            [
                (slice(None), slice(None, None, -1)),
                (slice(None, None, -1), slice(None)),
                (slice(None, None, -1), slice(None, None, -1)),
            ],
        ),
    ],
)
def test_each_picture_is_mirrored_or_not(flip: str, forms: Any) -> None:
    varied = vary(DIGITS, flip=flip)
    allowed = [(slice(None), slice(None)), *forms]
    found = []
    for before, after in zip(DIGITS, varied, strict=True):
        alike = [np.array_equal(before[:, rows, columns], after) for rows, columns in allowed]
        found.append(alike.index(True))
    # Each of them, and none of them always.
    assert set(found) == set(range(len(allowed)))


def test_brightness_multiplies_each_picture_by_a_number_of_its_own() -> None:
    half = DIGITS / 2
    varied = vary(half, brightness=0.4)
    factors = varied.sum(axis=(1, 2, 3)) / half.sum(axis=(1, 2, 3))
    expected = np.minimum(half * factors[:, None, None, None], 1)
    np.testing.assert_allclose(varied, expected, atol=1e-6)
    assert 0.6 <= factors.min() < 0.75 < 1.25 < factors.max() <= 1.4


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    grey = np.full((20, 3, 30, 30), 0.5, dtype=np.float32)
    noise = vary(grey, noise=0.05) - grey
    assert abs(noise.std() - 0.05) < 0.002
    assert abs(noise.mean()) < 0.002
    assert len(np.unique(noise[:, 0, 0, 0])) == 20


def test_a_shift_moves_no_further_than_asked_and_leaves_black() -> None:
    point = np.zeros((200, 1, 21, 21), dtype=np.float32)
    point[:, 0, 10, 10] = 1
    varied = vary(point, shift=0.2)
    _, _, rows, columns = np.nonzero(varied > 0.5)
    assert len(rows) > 150
    for places in (rows, columns):
        assert (places.min(), places.max()) == (6, 14)
    white = np.ones((50, 1, 20, 20), dtype=np.float32)
    assert (vary(white, shift=0.3) == 0).any()


def test_a_rotation_turns_no_further_than_asked() -> None:
    line = np.zeros((60, 1, 41, 41), dtype=np.float32)
    line[:, 0, 20, 20:] = 1
    varied = vary(line, rotate=30)
    angles = []
    for picture in varied[:, 0]:
        rows, columns = np.nonzero(picture > 0.4)
        far = np.argmax(np.hypot(rows - 20, columns - 20))
        angles.append(np.degrees(np.arctan2(rows[far] - 20, columns[far] - 20)))
    assert -31 <= min(angles) < -15 < 15 < max(angles) <= 31


def test_a_crop_keeps_the_size_and_stretches_what_is_cut_out() -> None:
    """Of a picture that grows evenly from left to right, what is cut out grows more slowly."""
    slope = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (40, 1, 32, 1))
    varied = vary(slope, crop=0.5)
    assert varied.shape == slope.shape
    spans = varied[:, 0, 16, -1] - varied[:, 0, 16, 0]
    assert 0.45 < spans.min() < 0.65 < 0.85 < spans.max() <= 1.0
    assert len(np.unique(varied[:, 0, 16, 0])) > 10


def test_the_generator_decides_and_nothing_else() -> None:
    """So that a resumed training goes on with the pictures that it would have met."""
    given = DIGITS.copy()
    first = vary(given, changes=EVERYTHING)
    torch.rand(7)
    with repeatable(3):
        again = vary(given, changes=EVERYTHING)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, vary(given, seed=1, changes=EVERYTHING))
    np.testing.assert_array_equal(given, DIGITS)
    assert not any(np.array_equal(a, b) for a, b in zip(first, DIGITS, strict=True))


def test_dropout_draws_what_it_would_have_drawn() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    vary(DIGITS, changes=EVERYTHING)
    assert torch.equal(torch.rand(3), expected)


def test_pictures_are_varied_as_they_were_before_they_were_normalised() -> None:
    mean = np.float32([0.4, 0.5, 0.6]).reshape(3, 1, 1)
    std = np.float32([0.2, 0.25, 0.5]).reshape(3, 1, 1)
    pixels = np.repeat(DIGITS, 3, axis=1)
    black = tuple(((0 - mean) / std).ravel().tolist())
    white = tuple(((1 - mean) / std).ravel().tolist())
    augment = PictureAugment("x", EVERYTHING, black, white)
    varied = augment({"x": (pixels - mean) / std}, np.random.default_rng(0))["x"]
    expected = vary(pixels, changes=EVERYTHING)
    np.testing.assert_allclose(varied * std + mean, expected, atol=1e-5)


def test_other_inputs_and_the_dtype_stay() -> None:
    inputs: Arrays = {"x": DIGITS.astype(np.float64), "age": np.arange(40)}
    augment = PictureAugment("x", EVERYTHING, (0.0,), (1.0,))
    varied = augment(inputs, np.random.default_rng(0))
    assert list(varied) == ["x", "age"]
    assert varied["age"] is inputs["age"]
    assert (varied["x"].dtype, varied["x"].shape) == (np.float64, DIGITS.shape)


def test_strided_pictures_of_the_image_step_are_taken() -> None:
    """It gives a view whose channels lie last in memory."""
    view = np.ascontiguousarray(DIGITS.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(vary(view, changes=EVERYTHING), vary(DIGITS, changes=EVERYTHING))


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"flip": "both"}, ["RandomHorizontalFlip", "RandomVerticalFlip"]),
        ({"crop": 0.5}, ["RandomResizedCrop"]),
        # The whole of it, which nobody cuts.
        ({"crop": 1.0, "noise": 0.1}, ["GaussianNoise"]),
        ({"rotate": 5}, ["RandomAffine"]),
        ({"shift": 0.1}, ["RandomAffine"]),
        ({"rotate": 5, "shift": 0.1}, ["RandomAffine"]),
        ({"brightness": 0.1, "noise": 0.1}, ["ColorJitter", "GaussianNoise"]),
    ],
)
def test_only_what_is_asked_for_is_done(changes: Any, kinds: list[str]) -> None:
    augment = PictureAugment("x", PictureChanges(**changes), (0.0,), (1.0,))
    transform = augment.make_transform(4, 8)
    assert [type(part).__name__ for part in transform.transforms] == kinds


def test_what_is_cut_out_has_the_form_of_the_picture() -> None:
    augment = PictureAugment("x", PictureChanges(crop=0.5), (0.0,), (1.0,))
    (crop,) = augment.make_transform(4, 8).transforms
    assert (list(crop.size), crop.scale, crop.ratio) == ([4, 8], (0.25, 1.0), (2.0, 2.0))
