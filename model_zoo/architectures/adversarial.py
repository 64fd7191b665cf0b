"""The two networks of a GAN on small pictures: one makes them, the other tells them from real ones.

Source: Goodfellow et al. 2014, with the leaky units and the tanh of Radford et al. 2016.
"""

from collections.abc import Sequence
import itertools
import math

import torch
from torch import Tensor, nn

# Of a negative number: so that the generator learns from pictures that are told at once, too.
_LEAK = 0.2


def discriminator(
    channels: int,
    height: int,
    width: int,
    hidden: Sequence[int],
    dropout: float = 0.3,
) -> nn.Module:
    """Build a network that tells pictures of a kind from all others.

    Called with `image` float32 (rows, channels, height, width). Gives `logit` (rows,), the higher the
    more a picture looks like those of training.

    Args:
        channels, height, width: of a picture, in pixels.
        hidden: widths of the layers between.
        dropout: share of the hidden numbers that training leaves out.

    >>> network = discriminator(1, 8, 8, [16])
    >>> {name: tuple(tensor.shape) for name, tensor in network(image=torch.zeros(2, 1, 8, 8)).items()}
    {'logit': (2,)}
    """
    numbers = channels * height * width
    return _Discriminator(numbers, hidden, dropout)


def generator(
    noise: int,
    channels: int,
    height: int,
    width: int,
    hidden: Sequence[int],
) -> nn.Module:
    """Build a network that makes pictures of noise; it is trained against a discriminator.

    Called with `noise` float32 (rows, noise), normal numbers. Gives `image` (rows, channels, height,
    width), -1 to 1.

    Args:
        noise: numbers that a picture is made of.
        channels, height, width: of a picture, in pixels.
        hidden: widths of the layers between.

    >>> network = generator(4, 1, 8, 8, [16])
    >>> {name: tuple(tensor.shape) for name, tensor in network(noise=torch.zeros(2, 4)).items()}
    {'image': (2, 1, 8, 8)}
    """
    shape = (channels, height, width)
    return _Generator(noise, shape, hidden)


class _Discriminator(nn.Module):
    def __init__(self, numbers: int, hidden: Sequence[int], dropout: float) -> None:
        super().__init__()
        sizes = [numbers, *hidden]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [
                nn.Linear(before, after),
                nn.LeakyReLU(_LEAK),
                nn.Dropout(dropout),
            ]
        # No normalisation of a mini-batch: what it tells of a picture must not hang on others.
        last_width = sizes[-1]
        layers.append(nn.Linear(last_width, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        pixels = image.flatten(1)
        values = self.layers(pixels)
        return {"logit": values[:, 0]}


class _Generator(nn.Module):
    def __init__(self, noise: int, shape: Sequence[int], hidden: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        sizes = [noise, *hidden]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [
                nn.Linear(before, after),
                nn.ReLU(),
            ]
        # No activation behind it: `forward` brings the numbers between -1 and 1.
        last_width = sizes[-1]
        numbers = math.prod(shape)
        layers.append(nn.Linear(last_width, numbers))
        self.layers = nn.Sequential(*layers)

    def forward(self, noise: Tensor) -> dict[str, Tensor]:
        values = self.layers(noise)
        pixels = torch.tanh(values)
        pictures = pixels.reshape(-1, *self.shape)
        return {"image": pictures}
