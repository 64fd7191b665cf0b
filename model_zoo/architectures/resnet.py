"""ResNet-18 (He et al., 2016), with the names, the initial weights and the arithmetic of torchvision.

Ours, because torchvision's import brings torch's compiler with it, which takes seconds; and weights
that were trained with torchvision's fit.
"""

import torch
from torch import Tensor, nn

# Channels of the four stages; each but the first halves the picture.
_WIDTHS = (64, 128, 256, 512)
_BLOCKS = 2


def resnet18(classes: int) -> nn.Module:
    """Build ResNet-18 with random weights.

    Called with `image` float32 (rows, 3, height, width). Gives `logits` (rows, classes). The names of
    its weights are torchvision's, behind `network.`.

    >>> network = resnet18(4).eval()
    >>> {name: tuple(tensor.shape) for name, tensor in network(image=torch.zeros(1, 3, 64, 64)).items()}
    {'logits': (1, 4)}
    """
    return _NamedResNet(classes)


class _NamedResNet(nn.Module):
    """Takes and gives tensors by name; the network itself is as torchvision has it."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.network = _ResNet(classes)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"logits": self.network(image)}


class _ResNet(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        first, second, third, fourth = _WIDTHS
        # The order of these lines decides names and random numbers; both are torchvision's.
        self.conv1 = _make_convolution(3, first, size=7, stride=2)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _make_stage(first, first, stride=1)
        self.layer2 = _make_stage(first, second, stride=2)
        self.layer3 = _make_stage(second, third, stride=2)
        self.layer4 = _make_stage(third, fourth, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(fourth, classes)
        # Last, over what the layers have drawn for themselves.
        self.apply(_draw_weights)

    def forward(self, image: Tensor) -> Tensor:
        values = self.conv1(image)
        values = self.bn1(values)
        values = self.relu(values)
        values = self.maxpool(values)
        values = self.layer1(values)
        values = self.layer2(values)
        values = self.layer3(values)
        values = self.layer4(values)
        values = self.avgpool(values)
        values = torch.flatten(values, 1)
        logits: Tensor = self.fc(values)
        return logits


class _Block(nn.Module):
    """Two convolutions, and a way around them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        # First, as in torchvision: the same seed then draws the same weights.
        shortcut = _make_shortcut(before, after, stride)
        self.conv1 = _make_convolution(before, after, size=3, stride=stride)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _make_convolution(after, after, size=3, stride=1)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = shortcut

    def forward(self, image: Tensor) -> Tensor:
        identity = image
        values = self.conv1(image)
        values = self.bn1(values)
        values = self.relu(values)
        values = self.conv2(values)
        values = self.bn2(values)
        # Where the block changes size or channels, its input must change them too.
        if self.downsample is not None:
            identity = self.downsample(image)
        # In place, as in torchvision: the sum takes no memory of its own.
        values += identity
        result: Tensor = self.relu(values)
        return result


def _make_stage(before: int, after: int, stride: int) -> nn.Sequential:
    """Return the blocks of a stage, of which the first changes size and channels."""
    blocks = [_Block(before, after, stride)]
    while len(blocks) < _BLOCKS:
        block = _Block(after, after, stride=1)
        blocks.append(block)
    return nn.Sequential(*blocks)


def _make_shortcut(before: int, after: int, stride: int) -> nn.Module | None:
    """Return what makes the input of a block as small and wide as its output, where that differs."""
    if stride == 1 and before == after:
        return None
    convolution = _make_convolution(before, after, size=1, stride=stride)
    normalisation = nn.BatchNorm2d(after)
    return nn.Sequential(convolution, normalisation)


def _make_convolution(
    before: int,
    after: int,
    size: int,
    stride: int,
) -> nn.Conv2d:
    """Return a convolution of size x size pixels, padded so that its stride alone changes the size."""
    return nn.Conv2d(
        before,
        after,
        kernel_size=size,
        stride=stride,
        padding=size // 2,
        # The normalisation right behind it subtracts any constant.
        bias=False,
    )


def _draw_weights(module: nn.Module) -> None:
    """Draw the weights of a convolution as the authors do; layers of other kinds have theirs."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(
            module.weight,
            mode="fan_out",
            nonlinearity="relu",
        )
