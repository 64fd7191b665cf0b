"""Rows as a graph takes them, in the child."""

from collections.abc import Mapping

import numpy as np

from model_zoo.engines.child.messages import Arrays


def add_columns(inputs: Arrays, ranks: Mapping[str, int]) -> Arrays:
    """Return rows with as many dimensions as a graph's inputs have.

    Args:
        inputs: arrays (rows, ...) by name.
        ranks: dimensions of each input with the rows, by name.
    """
    arrays = {}
    for name, array in inputs.items():
        # One of which the graph makes nothing may be left out; any other is found by who calls it.
        if name not in ranks:
            continue
        # A column is (rows, 1) in many graphs, and (rows,) in a table.
        dimensions = array.ndim + 1
        if dimensions == ranks[name]:
            array = array[:, np.newaxis]
        arrays[name] = array
    return arrays
