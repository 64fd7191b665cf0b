"""Vary the pictures of a mini-batch of training: mirrored, turned, moved, cut out, lit, with noise.

What a picture becomes hangs on the seed, the epoch, and its place in the epoch, and on nothing that
was drawn before: a training that was stopped and resumed goes on with the same pictures.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch

Tensors: TypeAlias = dict[str, torch.Tensor]
# Called with the inputs of a mini-batch of training, the epoch (from 1), and the mini-batch's number
# in it (from 0); returns the inputs that the network is trained with.
Augment: TypeAlias = Callable[[Tensors, int, int], Tensors]
