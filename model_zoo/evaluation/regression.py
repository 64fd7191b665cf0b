"""Compare predicted numbers with true ones: the usual figures, by scikit-learn, and as text."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn import metrics

from configs.errors import InputError


@dataclass(frozen=True)
class RegressionFigures:
    """The figures that tell how good predicted numbers are.

    Attributes:
        rows: how many rows were compared.
        mean_absolute_error, root_mean_squared_error: in the unit of the numbers.
        bias: mean of predicted minus true.
        r2: share of the variance that is explained; None where all true numbers are the same.
    """

    rows: int
    mean_absolute_error: float
    root_mean_squared_error: float
    bias: float
    r2: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers, ready for JSON or YAML."""
        return asdict(self)

    def render(self) -> str:
        """Return the figures as text."""
        r2 = "undefined"
        if self.r2 is not None:
            r2 = f"{self.r2:.4f}"
        lines = [
            f"rows                     {self.rows}",
            f"mean absolute error      {self.mean_absolute_error:.6g}",
            f"root mean squared error  {self.root_mean_squared_error:.6g}",
            f"bias                     {self.bias:+.6g}  (predicted minus true)",
            f"R2                       {r2}",
        ]
        return "\n".join(lines)


def compare_numbers(truth: np.ndarray, predicted: np.ndarray) -> RegressionFigures:
    """Compare row by row.

    Args:
        truth, predicted: float64 (rows,) of the same rows in the same order.

    Raises:
        InputError: there is nothing to compare, or a number is not finite.

    >>> compare_numbers(np.array([1.0, 3.0]), np.array([1.0, 4.0])).bias
    0.5
    """
    if not len(truth):
        raise InputError("there is no row to compare")
    for what, numbers in (("true", truth), ("predicted", predicted)):
        odd = int(np.count_nonzero(~np.isfinite(numbers)))
        if odd:
            raise InputError(
                f"{odd} of {len(numbers)} {what} numbers are NaN or infinite; leave these rows out"
            )
    r2 = None
    # Without variance there is none to explain.
    if np.ptp(truth) > 0:
        r2 = float(metrics.r2_score(truth, predicted))
    differences = predicted - truth
    return RegressionFigures(
        rows=len(truth),
        mean_absolute_error=float(metrics.mean_absolute_error(truth, predicted)),
        root_mean_squared_error=float(metrics.root_mean_squared_error(truth, predicted)),
        bias=float(differences.mean()),
        r2=r2,
    )
