"""The section `training.augment` of a job and what preprocessing made -> what varies the pictures."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from configs.augmentation import Augmentation
from configs.errors import JobError
from configs.suggest import nearest
from model_zoo.arrays import Arrays
from model_zoo.package.card import Tensor
from model_zoo.steps.image import Image
from model_zoo.steps.table import AnyStep
from model_zoo.training.augment import PictureAugment, PictureChanges, Shade

# Channels, height and width.
_DIMENSIONS = 3
# Of grey and coloured pictures.
_CHANNELS = (1, 3)


def make_augment(
    augmentation: Augmentation,
    steps: Sequence[AnyStep],
    tensors: Mapping[str, Tensor],
    inputs: Arrays,
) -> PictureAugment:
    """Return what varies the pictures of each mini-batch of training.

    Args:
        augmentation: the section of the job.
        steps: fitted preprocessing.
        tensors: what the network takes, by its inputs' names.
        inputs: of the training rows, by the same names.

    Raises:
        JobError: no input holds pictures, several do, or torchvision is not installed.
    """
    name = _find_input(augmentation, inputs)
    choices = augmentation.model_dump(exclude={"input"})
    changes = PictureChanges(**choices)
    pictures = inputs[name]
    _, channels, height, width = pictures.shape
    source = tensors[name].column or name
    step = _find_step(steps, source)
    shades = _find_shades(pictures)
    if step is not None:
        # What it makes of black and white holds for pictures that are not in these rows, too.
        shades = _find_shades_of_step(step, channels)
    augment = PictureAugment(name, changes, shades.black, shades.white)
    # What is not installed is told before training begins.
    augment.make_transform(height, width)
    return augment


class _Shades(NamedTuple):
    """What black and white are once pictures are preprocessed, a number for each channel."""

    black: Shade
    white: Shade


def _find_input(augmentation: Augmentation, inputs: Arrays) -> str:
    """Return the name of the input that is varied.

    Raises:
        JobError: none or several could be meant, or the one that is named is not there.
    """
    found = [name for name, array in inputs.items() if _holds_pictures(array)]
    wanted = augmentation.input
    if wanted is not None and wanted in found:
        return wanted
    if wanted is not None:
        listed = ", ".join(inputs)
        problem = f"names {wanted!r}, which holds no pictures (channels, height, width)"
        if wanted not in inputs:
            hint = nearest(wanted, list(inputs))
            problem = f"names {wanted!r}, which is no input of the network{hint}"
        raise JobError(f"training.augment.input {problem}; the inputs are {listed}")

    if not found:
        shapes = []
        for name, array in inputs.items():
            row_shape = array.shape[1:]
            shapes.append(f"{name} {row_shape}")
        listed = ", ".join(shapes)
        raise JobError(
            "training.augment varies pictures, float (1 or 3 channels, height, width), and the "
            f"network takes {listed}; leave it out"
        )
    if len(found) > 1:
        listed = " and ".join(found)
        raise JobError(
            f"training.augment.input is needed: pictures are {listed}; name the one that is varied"
        )
    (only,) = found
    return only


def _holds_pictures(array: np.ndarray) -> bool:
    # Beside them the rows.
    is_deep = array.ndim == 1 + _DIMENSIONS
    has_fractions = array.dtype.kind == "f"
    if not is_deep or not has_fractions:
        return False
    _, channels, _, _ = array.shape
    return channels in _CHANNELS


def _find_step(steps: Sequence[AnyStep], into: str) -> Image | None:
    """Return the last step that puts pictures into a column; None where they come as arrays."""
    found = None
    for step in steps:
        if isinstance(step, Image) and step.into == into:
            found = step
    return found


def _find_shades_of_step(step: Image, channels: int) -> _Shades:
    """Return what the step makes of black and of white."""
    # One value stands for all channels.
    mean = np.resize(step.mean, channels)
    std = np.resize(step.std, channels)
    black = (0.0 - mean) / std
    white = (1.0 - mean) / std
    return _Shades(
        black=tuple(black.tolist()),
        white=tuple(white.tolist()),
    )


def _find_shades(pictures: np.ndarray) -> _Shades:
    """Return the darkest and the brightest number of the training rows, for every channel."""
    _, channels, _, _ = pictures.shape
    darkest = float(pictures.min())
    brightest = float(pictures.max())
    # Pictures of one shade alone: any other will do for white.
    if darkest == brightest:
        brightest = darkest + 1
    return _Shades(
        black=(darkest,) * channels,
        white=(brightest,) * channels,
    )
