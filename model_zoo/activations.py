"""Functions that turn a network's logits into probabilities."""

import numpy as np


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return `1 / (1 + exp(-x))` of each number, in the dtype of the logits."""
    # exp(-x) of a very negative x is infinite, and 1 / infinity is the right answer.
    with np.errstate(over="ignore"):
        exponentials = np.exp(-logits)
        probabilities: np.ndarray = 1 / (1 + exponentials)
    return probabilities


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (rows, classes) of logits (rows, classes); each row's sum is 1."""
    # The largest logit becomes 0, so that no exp overflows.
    largest = logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits - largest)
    sums = exponentials.sum(axis=1, keepdims=True)
    probabilities: np.ndarray = exponentials / sums
    return probabilities
