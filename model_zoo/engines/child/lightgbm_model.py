"""LightGBM's own file, in the child: sums of the leaves, or what the objective makes of them."""

from collections.abc import Callable, Mapping
import re
from typing import Any

import numpy as np

from model_zoo.engines.child.messages import Arrays

# As in `objective=binary sigmoid:2`: what a sum is multiplied with before the sigmoid.
_FACTOR = re.compile(rb"^objective=.*\bsigmoid:(\S+)", re.MULTILINE)


def load(content: bytes, card: Mapping[str, Any]) -> Callable[[], Callable[[Arrays], Arrays]]:
    """Return what makes a call for each thread.

    Args:
        content: of the file.
        card: with the name of the output: `margin` for logits.
    """
    import lightgbm

    text = content.decode()
    booster = lightgbm.Booster(model_str=text, params={"num_threads": 1, "verbosity": -1})
    (output,) = card["outputs"]
    is_margin = output == "margin"
    found = _FACTOR.search(content)
    factor = float(found[1]) if found and is_margin else 1.0

    def compute(inputs: Arrays) -> Arrays:
        scores = booster.predict(inputs["x"], raw_score=is_margin, num_threads=1)
        return {output: np.asarray(scores) * factor}

    return lambda: compute
