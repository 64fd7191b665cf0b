"""A user's module: some of its names are functions that it defines, and others only look like it."""

from builtins import eval as eval_of_python
from functools import partial
from os import system

import numpy as np
import pyarrow as pa

from tests.transforms.user_functions import add_total as add_total

ran = system
evaluate = eval_of_python
bound = partial(print, "ran")


class Steps:
    def __init__(self, rows: pa.RecordBatch) -> None:
        raise AssertionError("ran")


def zero(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    return {"zero": np.zeros(rows.num_rows)}
