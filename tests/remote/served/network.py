"""The model that the tests' servers hold: a logistic regression, in numpy alone, as no server's environment has more in common.

A server finds this file beside its own program: PYTHONPATH is this folder, so nothing of the project comes along.
"""

from itertools import pairwise
import json
from pathlib import Path

import numpy as np

# A value beyond this is refused as the client's fault, and one beyond that makes the model fail.
REFUSED_ABOVE = 1e6
FAILS_ABOVE = 1e9


class RefusedValue(ValueError):
    """A row that the model does not take, and says so."""


class Network:
    """Scores rows (rows, columns) of float32 into a column (rows, 1) of probabilities, float32."""

    def __init__(self, path):
        fitted = json.loads(Path(path).read_text())
        self.weights = np.asarray(fitted["weights"], np.float64)
        self.bias = float(fitted["bias"])
        # For benchmarks: layers of random weights, so that the model costs what a network does.
        width = fitted.get("hidden", 0)
        rng = np.random.default_rng(1)
        sizes = [len(self.weights), width, width] if width else []
        self.layers = [
            rng.normal(size=size).astype(np.float32) / size[0] for size in pairwise(sizes)
        ]

    def score(self, features):
        """Return the probabilities; one row that cannot be taken costs the whole request, as in most servers."""
        largest = np.abs(features).max(initial=0)
        if largest > FAILS_ABOVE:
            raise OverflowError("the model failed")
        if largest > REFUSED_ABOVE:
            raise RefusedValue("a value is out of range")
        # Column by column: the bits of a row do not depend on how many there are.
        logits = np.full(len(features), self.bias)
        for column, weight in enumerate(self.weights):
            logits += features[:, column].astype(np.float64) * weight
        hidden = features
        for layer in self.layers:
            hidden = np.maximum(hidden @ layer, 0)
        if self.layers:
            logits += hidden.mean(axis=1)
        return (1 / (1 + np.exp(-logits))).astype(np.float32)[:, np.newaxis]
