"""Recurrent networks: a sequence of vectors in, what its last vector leaves behind out.

Sources: Hochreiter and Schmidhuber 1997 (LSTM); Cho et al. 2014 (GRU). Both are torch's own.
"""

from typing import TypeAlias

import torch
from torch import nn

# Both take the same, and give the outputs of all steps first.
Cells: TypeAlias = type[nn.LSTM] | type[nn.GRU]
Outputs: TypeAlias = dict[str, torch.Tensor]


def gru(
    features: int,
    hidden: int,
    out_features: int,
    layers: int = 1,
    dropout: float = 0.0,
) -> nn.Module:
    """Build a GRU and a linear layer on what it gives for the last vector of a sequence.

    Called with `x` float32 (rows, steps, features), and where sequences are padded with `mask` (rows,
    steps), true for vectors and false for the padding behind them. Gives `logit` (rows,) when
    `out_features` is 1, else `logits` (rows, out_features).

    Args:
        features: numbers of a vector.
        hidden: numbers that a layer keeps of the vectors before.
        out_features: logits of a row.
        layers: how many, one on top of the other.
        dropout: share of the numbers that training leaves out between layers and behind the last.

    >>> {name: tuple(tensor.shape) for name, tensor in gru(3, 4, 5)(x=torch.zeros(2, 7, 3)).items()}
    {'logits': (2, 5)}
    """
    return _Recurrent(
        cells=nn.GRU,
        features=features,
        hidden=hidden,
        out_features=out_features,
        layers=layers,
        dropout=dropout,
    )


def lstm(
    features: int,
    hidden: int,
    out_features: int,
    layers: int = 1,
    dropout: float = 0.0,
) -> nn.Module:
    """Build an LSTM and a linear layer on what it gives for the last vector of a sequence.

    Called with `x` float32 (rows, steps, features), and where sequences are padded with `mask` (rows,
    steps), true for vectors and false for the padding behind them. Gives `logit` (rows,) when
    `out_features` is 1, else `logits` (rows, out_features).

    Args:
        features: numbers of a vector.
        hidden: numbers that a layer keeps of the vectors before.
        out_features: logits of a row.
        layers: how many, one on top of the other.
        dropout: share of the numbers that training leaves out between layers and behind the last.

    >>> {name: tuple(tensor.shape) for name, tensor in lstm(3, 4, 1)(x=torch.zeros(2, 7, 3)).items()}
    {'logit': (2,)}
    """
    return _Recurrent(
        cells=nn.LSTM,
        features=features,
        hidden=hidden,
        out_features=out_features,
        layers=layers,
        dropout=dropout,
    )


class _Recurrent(nn.Module):
    def __init__(
        self,
        cells: Cells,
        features: int,
        hidden: int,
        out_features: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        # torch warns of a dropout between layers where there is one layer.
        dropout_between = dropout if layers > 1 else 0.0
        # In one direction: going back, padding would come before the vectors.
        self.cells = cells(
            features,
            hidden,
            num_layers=layers,
            dropout=dropout_between,
            batch_first=True,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, out_features)
        self.gives_one = out_features == 1

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> Outputs:
        # (rows, steps, hidden)
        states, _ = self.cells(x)
        last = _take_last(states, mask)
        last = self.dropout(last)
        logits = self.head(last)
        # A number a row, as the sigmoid takes it, and not a list of one.
        if self.gives_one:
            return {"logit": logits[:, 0]}
        return {"logits": logits}


# Left as it is by those who read a network off a call with stand-ins for tensors, as int8 does: a
# stand-in for no mask is none that could be told from one for a mask.
@torch.fx.wrap
def _take_last(states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return the state behind each row's last vector, (rows, hidden); zeros for a row of none.

    Sequences are not packed, as torch would have it: the shapes within a mini-batch would hang on all
    of its rows, and so would the bits of a row's scores.

    Args:
        states: (rows, steps, hidden).
        mask: (rows, steps); None where no row has padding.
    """
    if mask is None:
        return states[:, -1]
    steps = mask.to(torch.int64).sum(1)
    place = (steps - 1).clamp(min=0)
    # (rows, 1, hidden): the same place of every number.
    places = place[:, None, None].expand(-1, 1, states.shape[2])
    last = states.gather(1, places)[:, 0]
    has_steps = steps > 0
    return last * has_steps[:, None].to(last.dtype)
