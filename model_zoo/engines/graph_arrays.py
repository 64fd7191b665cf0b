"""What graphs of other libraries take and give, as the card says it: a column is (rows, 1) in many."""

from collections.abc import Sequence

import numpy as np
import torch


def lay_out(tensor: torch.Tensor, rank: int) -> np.ndarray:
    """Return an input as a graph takes it, its numbers side by side.

    Args:
        tensor: (rows, *shape).
        rank: how many dimensions the graph's input has.
    """
    given = tensor.numpy()
    # Inputs may be views of stacked columns.
    array = np.ascontiguousarray(given)
    # A column is (rows, 1) in many graphs, and (rows,) in a table.
    if array.ndim + 1 == rank:
        return array[:, np.newaxis]
    return array


def shape_rows(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return an output as the card says it.

    Args:
        array: (rows, ...), as the graph gives it.
        shape: of a row, as the card says it.
    """
    is_table = array.ndim == 2
    is_list_of_one = is_table and array.shape[1] == 1
    if is_list_of_one and not shape:
        return array[:, 0]
    return array
