"""A multi-layer perceptron."""

from collections.abc import Sequence
import itertools

import torch
from torch import nn


def mlp(
    in_features: int,
    hidden: Sequence[int],
    out_features: int,
    dropout: float = 0.0,
) -> nn.Module:
    """Build a multi-layer perceptron with ReLU between its layers.

    Called with `x` float32 (rows, in_features). Gives `logit` (rows,) when `out_features` is 1, else
    `logits` (rows, out_features).

    Args:
        in_features: numbers of a row.
        hidden: widths of the layers between; none makes a linear model.
        out_features: logits of a row.
        dropout: share of the hidden numbers that training leaves out.

    >>> {name: tuple(tensor.shape) for name, tensor in mlp(3, [4], 1)(x=torch.zeros(2, 3)).items()}
    {'logit': (2,)}
    """
    return _Mlp(
        in_features=in_features,
        hidden=hidden,
        out_features=out_features,
        dropout=dropout,
    )


class _Mlp(nn.Module):
    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int],
        out_features: int,
        dropout: float,
    ) -> None:
        super().__init__()
        sizes = [in_features, *hidden]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers.append(nn.Linear(before, after))
            layers.append(nn.ReLU())
            # Only where it is wanted: an idle layer would still shift the numbers in weights' names.
            if dropout:
                layers.append(nn.Dropout(dropout))
        # No activation behind it: logits may be negative.
        last = nn.Linear(sizes[-1], out_features)
        layers.append(last)
        self.layers = nn.Sequential(*layers)
        self.gives_one = out_features == 1

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        values = self.layers(x)
        # A number a row, as the sigmoid takes it, and not a list of one.
        if self.gives_one:
            return {"logit": values[:, 0]}
        return {"logits": values}
