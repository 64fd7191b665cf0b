"""The networks, by the name that a model card gives them.

Comes in: the card's `builder` and `parameters`. Goes out: a module that is called as `module(**inputs)` and gives
`dict[str, Tensor]`, one entry per output of the card.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import difflib
import itertools
import sys
from types import ModuleType
from typing import Any

import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.sentence_encoder import sentence_encoder


def mlp(in_features: int, hidden: Sequence[int], out_features: int, dropout: float = 0.0) -> nn.Module:
    """A multi-layer perceptron with ReLU between its layers.

    Called with `x` float32 (rows, in_features). Gives `logit` (rows,) when `out_features` is 1, else `logits` (rows, out_features).

    >>> {name: tuple(tensor.shape) for name, tensor in mlp(3, [4], 1)(x=torch.zeros(2, 3)).items()}
    {'logit': (2,)}
    """
    return _Mlp(in_features, hidden, out_features, dropout)


def cnn(channels: int, height: int, width: int, classes: int, widths: Sequence[int]) -> nn.Module:
    """A small convolutional network: one block per entry of `widths`, the picture halved between blocks, then one linear layer.

    A block is twice (3 x 3 convolution, batch normalisation, ReLU), as in VGG (Simonyan and Zisserman, 2015). Called with `image`
    float32 (rows, channels, height, width). Gives `logits` (rows, classes).

    >>> {name: tuple(tensor.shape) for name, tensor in cnn(1, 8, 8, 10, [4, 8])(image=torch.zeros(2, 1, 8, 8)).items()}
    {'logits': (2, 10)}
    """
    return _Cnn(channels, height, width, classes, widths)


def resnet18(classes: int) -> nn.Module:
    """ResNet-18 (He et al., 2016) as torchvision has it, with random weights.

    Called with `image` float32 (rows, 3, height, width). Gives `logits` (rows, classes). The names of its weights are torchvision's,
    behind `network.`.

    >>> {name: tuple(tensor.shape) for name, tensor in resnet18(4).eval()(image=torch.zeros(1, 3, 64, 64)).items()}
    {'logits': (1, 4)}
    """
    return _ResNet18(classes)


BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "cnn": cnn,
    "mlp": mlp,
    "resnet18": resnet18,
    "sentence_encoder": sentence_encoder,
}


def build(name: str, parameters: dict[str, Any]) -> nn.Module:
    """The network `name` with fresh weights, drawn from torch's global generator.

    Raises:
        ModelError: no such builder, or parameters that it does not take.
    """
    if name not in BUILDERS:
        near = difflib.get_close_matches(name, BUILDERS, n=1, cutoff=0.0)[0]
        raise ModelError(f"builder {name!r} is unknown; did you mean {near!r}? There are {sorted(BUILDERS)}")
    try:
        return BUILDERS[name](**parameters)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"builder {name} does not take the parameters {parameters}: {error}") from error
    except ImportError as error:
        raise ModelError(
            f"builder {name} cannot be imported: {error}; install the extra for images: pip install '.[images]'"
        ) from error


class _Mlp(nn.Module):
    def __init__(self, in_features: int, hidden: Sequence[int], out_features: int, dropout: float) -> None:
        super().__init__()
        sizes = [in_features, *hidden]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], out_features))
        self.gives_one = out_features == 1

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        values = self.layers(x)
        return {"logit": values[:, 0]} if self.gives_one else {"logits": values}


class _Cnn(nn.Module):
    def __init__(self, channels: int, height: int, width: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        halvings = len(widths) - 1
        if halvings < 0 or min(height, width) >> halvings < 1:
            raise ValueError(
                f"widths must hold 1 entry or more, and not halve {height} x {width} below 1 pixel, got {list(widths)}"
            )
        layers: list[nn.Module] = []
        for before, after in zip([channels, *widths], widths, strict=False):
            layers += [*_block(before, after), nn.MaxPool2d(2)]
        self.blocks = nn.Sequential(*layers[:-1])
        self.head = nn.Linear(widths[-1] * (height >> halvings) * (width >> halvings), classes)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.head(self.blocks(image).flatten(1))}


class _ResNet18(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        with _without_torchs_compiler():
            from torchvision.models import resnet18 as network  # an extra

        self.network = network(weights=None, num_classes=classes)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.network(image)}


@contextmanager
def _without_torchs_compiler() -> Iterator[None]:
    """Has torchvision import quickly: one of its operators wants one function of torch's compiler, whose import takes two seconds.

    That function imports the compiler when it is called; whoever imports the compiler later gets it as ever.
    """
    if "torch._dynamo" in sys.modules or "torchvision" in sys.modules:
        yield
        return
    stand_in = ModuleType("torch._dynamo.utils")
    stand_in.is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
    stand_ins = {"torch._dynamo": ModuleType("torch._dynamo"), "torch._dynamo.utils": stand_in}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _is_compile_supported(device_type: str) -> bool:
    from torch._dynamo.utils import is_compile_supported

    return bool(is_compile_supported(device_type))


def _block(before: int, after: int) -> list[nn.Module]:
    def layer(channels: int) -> list[nn.Module]:
        # No bias: the normalisation right behind it subtracts any constant.
        return [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]

    return layer(before) + layer(after)
