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
    wide = numbers
    # A model with one number a row may leave its dimension out.
    if numbers.ndim == 1:
        wide = numbers[:, None]
    if wide.shape[1:] != (len(names),):
        raise JobError(
            f"labels names {len(names)} numbers, and the model gives {numbers.shape[1:]} a row"
        )
    makers: Makers = {}
    for place, name in enumerate(names):
        values = wide[:, place]
        makers[name] = partial(to_column, values)
    return makers
