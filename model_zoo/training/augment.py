"""Vary the pictures of a mini-batch of training: mirrored, turned, moved, cut out, lit, with noise.

By torchvision's transforms, picture by picture. What a picture becomes hangs on the generator that
the mini-batch is given, and on nothing that was drawn before.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

from model_zoo.arrays import Arrays
from model_zoo.extras import import_extra

# A number for each channel.
Shade: TypeAlias = tuple[float, ...]
Flip: TypeAlias = Literal["horizontal", "vertical", "both"]
_REFUSAL = (
    "training.augment varies pictures by torchvision, which is not installed: install the extra "
    "images, or leave augment out"
)
# What torch's generator takes as a seed.
_SEEDS = 2**63


@dataclass(frozen=True)
class PictureChanges:
    """What may become of a picture; each is drawn anew for each picture.

    Attributes:
        flip: mirrored, half of the pictures; `horizontal` is left to right.
        rotate: by up to so many degrees, to either side.
        shift: by up to this share of the sides.
        crop: what is cut out has at least this share of the sides; 1 for all.
        brightness: times 1 minus this to 1 plus this.
        noise: standard deviation; white is 1, black 0.
    """

    flip: Flip | None = None
    rotate: float = 0.0
    shift: float = 0.0
    crop: float = 1.0
    brightness: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class PictureAugment:
    """Changes the pictures of one input, and leaves others as they are.

    Attributes:
        input: of the network, float (rows, channels, height, width).
        black, white: what stands for them in that input, a number for each channel.
    """

    input: str
    changes: PictureChanges
    black: Shade
    white: Shade

    def __call__(self, inputs: Arrays, draw: np.random.Generator) -> Arrays:
        """Return the inputs of a mini-batch with changed pictures.

        Args:
            inputs: of the network; they stay as they are.
            draw: what all changes are drawn from.

        Raises:
            JobError: torchvision is not installed.
        """
        pictures = inputs[self.input]
        black = _of_channels(self.black)
        span = _of_channels(self.white) - black
        contiguous = np.ascontiguousarray(pictures, dtype=np.float32)
        given = torch.from_numpy(contiguous)
        # As torchvision has them: white is 1, and the borders of what is turned are 0.
        pixels = (given - black) / span
        _, _, height, width = pixels.shape
        transform = self.make_transform(height, width)
        seed = int(draw.integers(_SEEDS))
        # torchvision draws from torch's own generator, which dropout shall find as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            changed = [transform(picture) for picture in pixels]
        whole = torch.stack(changed) * span + black
        varied = whole.numpy().astype(pictures.dtype)
        return {**inputs, self.input: varied}

    def make_transform(self, height: int, width: int) -> Any:
        """Return what changes a picture, float32 (channels, height, width) from 0 to 1.

        Args:
            height, width: of the pictures, which stay.

        Raises:
            JobError: torchvision is not installed.
        """
        v2 = import_extra("torchvision.transforms.v2", _REFUSAL)
        changes = self.changes
        chosen = []
        if changes.flip in ("horizontal", "both"):
            chosen.append(v2.RandomHorizontalFlip())
        if changes.flip in ("vertical", "both"):
            chosen.append(v2.RandomVerticalFlip())
        if changes.crop < 1:
            # It takes shares of the area, and the form of what is cut out: that of the picture.
            form = width / height
            area = changes.crop**2
            crop = v2.RandomResizedCrop(
                (height, width),
                scale=(area, 1.0),
                ratio=(form, form),
            )
            chosen.append(crop)
        if changes.rotate or changes.shift:
            move = v2.RandomAffine(
                degrees=changes.rotate,
                translate=(changes.shift, changes.shift),
                interpolation=v2.InterpolationMode.BILINEAR,
            )
            chosen.append(move)
        if changes.brightness:
            chosen.append(v2.ColorJitter(brightness=changes.brightness))
        if changes.noise:
            chosen.append(v2.GaussianNoise(sigma=changes.noise))
        return v2.Compose(chosen)


def _of_channels(values: Shade) -> torch.Tensor:
    """Return one number for each channel, float32 (channels, 1, 1)."""
    numbers = torch.tensor(values, dtype=torch.float32)
    return numbers.reshape(-1, 1, 1)
