"""A small convolutional network."""

from collections.abc import Sequence

import torch
from torch import nn


def cnn(
    channels: int,
    height: int,
    width: int,
    classes: int,
    widths: Sequence[int],
) -> nn.Module:
    """Build a network of convolutional blocks, the picture halved between them, and a linear layer.

    A block is twice (3 x 3 convolution, batch normalisation, ReLU), as in VGG (Simonyan and
    Zisserman, 2015). Called with `image` float32 (rows, channels, height, width). Gives `logits`
    (rows, classes).

    Args:
        channels, height, width: of an image, in pixels.
        classes: logits of a row.
        widths: channels of each block.

    >>> network = cnn(1, 8, 8, 10, [4, 8])
    >>> {name: tuple(tensor.shape) for name, tensor in network(image=torch.zeros(2, 1, 8, 8)).items()}
    {'logits': (2, 10)}
    """
    return _Cnn(
        channels=channels,
        height=height,
        width=width,
        classes=classes,
        widths=widths,
    )


class _Cnn(nn.Module):
    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        classes: int,
        widths: Sequence[int],
    ) -> None:
        super().__init__()
        _check_halvings(height, width, widths)
        layers: list[nn.Module] = []
        before = channels
        for after in widths:
            layers += _make_block(before, after)
            layers.append(nn.MaxPool2d(2))
            before = after
        # Nothing is halved behind the last block.
        layers.pop()
        self.blocks = nn.Sequential(*layers)

        halvings = len(widths) - 1
        last_height = height >> halvings
        last_width = width >> halvings
        features = before * last_height * last_width
        self.head = nn.Linear(features, classes)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        values = self.blocks(image)
        features = values.flatten(1)
        logits = self.head(features)
        return {"logits": logits}


def _check_halvings(height: int, width: int, widths: Sequence[int]) -> None:
    # The picture is halved between blocks, and nothing is left of one that is halved too often.
    halvings = len(widths) - 1
    side = min(height, width)
    # Without any block there are -1, by which Python does not shift.
    smallest = side >> max(halvings, 0)
    if halvings < 0 or smallest < 1:
        raise ValueError(
            "widths must hold 1 entry or more, "
            f"and not halve {height} x {width} below 1 pixel, got {list(widths)}"
        )


def _make_block(before: int, after: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for channels in (before, after):
        # No bias: the normalisation right behind it subtracts any constant.
        convolution = nn.Conv2d(
            channels,
            after,
            kernel_size=3,
            padding=1,
            bias=False,
        )
        layers.append(convolution)
        layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU())
    return layers
