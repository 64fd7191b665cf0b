"""What is to be predicted of training rows, for the steps that are fitted to it."""

from typing import Literal, NamedTuple

import numpy as np


class Target(NamedTuple):
    """What is to be predicted of the training rows; scoring has none.

    Attributes:
        values: class numbers int64 (rows,); of `multi_label` 0 and 1, (rows, labels); of
            `regression` numbers, (rows,) or (rows, numbers).
        task: what they are.
    """

    values: np.ndarray
    task: Literal["classification", "multi_label", "regression"]
