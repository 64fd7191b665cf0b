"""Several numbers a row, each with a name -> a column for each."""

from functools import partial

import numpy as np

from configs.errors import JobError
from model_zoo.tensor_columns import to_column
from transforms.scores.makers import Makers


def list_number_makers(numbers: np.ndarray, names: tuple[str, ...]) -> Makers:
    """Return a column for each number.

    Args:
        numbers: (rows, numbers), or (rows,) of one.
        names: one for each.

    Raises:
        JobError: there are more names, or fewer.
    """
    wide = numbers[:, None] if numbers.ndim == 1 else numbers
    if wide.shape[1:] != (len(names),):
        raise JobError(
            f"labels names {len(names)} numbers, and the model gives {numbers.shape[1:]} a row"
        )
    return {name: partial(to_column, wide[:, place]) for place, name in enumerate(names)}
