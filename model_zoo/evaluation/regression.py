"""Compare predicted numbers with true ones: the usual figures, by scikit-learn, and as text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from sklearn import metrics

from configs.errors import InputError
from configs.fields import Fields
from model_zoo.evaluation.shares import render_share

# More fit no screen.
_MOST_SHOWN = 20


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

    def as_dict(self) -> Fields:
        """Return plain numbers, ready for JSON or YAML."""
        return asdict(self)

    def render(self) -> str:
        """Return the figures as text."""
        lines = [
            f"rows                     {self.rows}",
            f"mean absolute error      {self.mean_absolute_error:.6g}",
            f"root mean squared error  {self.root_mean_squared_error:.6g}",
            f"bias                     {self.bias:+.6g}  (predicted minus true)",
            f"R2                       {render_share(self.r2)}",
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
    refuse_odd("true", truth)
    refuse_odd("predicted", predicted)
    r2 = None
    # Without variance there is none to explain.
    if np.ptp(truth) > 0:
        r2 = float(metrics.r2_score(truth, predicted))
    absolute = metrics.mean_absolute_error(truth, predicted)
    squared = metrics.root_mean_squared_error(truth, predicted)
    differences = predicted - truth
    # Plain Python values: numpy's own do not become JSON or YAML.
    return RegressionFigures(
        rows=len(truth),
        mean_absolute_error=float(absolute),
        root_mean_squared_error=float(squared),
        bias=float(differences.mean()),
        r2=r2,
    )


@dataclass(frozen=True)
class SeveralFigures:
    """The figures of several numbers a row.

    Attributes:
        outputs: of each number, by its name.
        mean: over the numbers; of R2 over those that have one.
    """

    outputs: dict[str, RegressionFigures]
    mean: RegressionFigures

    @classmethod
    def of(cls, outputs: dict[str, RegressionFigures]) -> "SeveralFigures":
        """Return the figures of these numbers, and their mean."""
        figures = list(outputs.values())
        absolute = [one.mean_absolute_error for one in figures]
        squared = [one.root_mean_squared_error for one in figures]
        biases = [one.bias for one in figures]
        # A number that does not vary has no R2.
        explained = [one.r2 for one in figures if one.r2 is not None]
        mean = RegressionFigures(
            # Of all numbers alike: a row has each of them.
            rows=figures[0].rows,
            mean_absolute_error=_average(absolute),
            root_mean_squared_error=_average(squared),
            bias=_average(biases),
            r2=_average(explained) if explained else None,
        )
        return cls(outputs, mean)

    def as_dict(self) -> Fields:
        """Return plain numbers, ready for JSON or YAML."""
        outputs = {}
        for name, figures in self.outputs.items():
            outputs[name] = figures.as_dict()
        return {"mean": self.mean.as_dict(), "outputs": outputs}

    def render(self) -> str:
        """Return the figures as text; of many numbers those that are worst explained."""
        shown = list(self.outputs.items())
        lines = [self.mean.render(), ""]
        outputs = len(shown)
        if outputs > _MOST_SHOWN:
            worst_first = sorted(shown, key=_rank_r2)
            shown = worst_first[:_MOST_SHOWN]
            lines.append(f"the {_MOST_SHOWN} of lowest R2 of {outputs} (--json has all):")
        heading = "output"
        width = len(heading)
        for name, _ in shown:
            width = max(width, len(name))
        lines.append(f"{heading:<{width}}  mean abs. error  RMS error         bias       R2")
        for name, figures in shown:
            line = _render_output(name, figures, width)
            lines.append(line)
        return "\n".join(lines)


def compare_several(
    truth: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
) -> SeveralFigures:
    """Compare row by row, each number by itself.

    Args:
        truth, predicted: float64 (rows, numbers) of the same rows in the same order.
        names: of the numbers.

    Raises:
        InputError: as `compare_numbers`, of any of them.
    """
    outputs = {}
    for place, name in enumerate(names):
        of_truth = truth[:, place]
        of_prediction = predicted[:, place]
        outputs[name] = compare_numbers(of_truth, of_prediction)
    return SeveralFigures.of(outputs)


def refuse_odd(what: str, numbers: np.ndarray) -> None:
    """Refuse numbers that are none.

    Args:
        what: `true` or `predicted`.
        numbers: float64 (rows,).

    Raises:
        InputError: one is NaN or infinite.
    """
    is_odd = ~np.isfinite(numbers)
    odd = int(np.count_nonzero(is_odd))
    if odd:
        raise InputError(
            f"{odd} of {len(numbers)} {what} numbers are NaN or infinite; leave these rows out"
        )


def _average(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _rank_r2(named: tuple[str, RegressionFigures]) -> float:
    _, figures = named
    # What has none is no worse than any.
    if figures.r2 is None:
        return np.inf
    return figures.r2


def _render_output(name: str, figures: RegressionFigures, width: int) -> str:
    r2 = render_share(figures.r2)
    return (
        f"{name:<{width}}  {figures.mean_absolute_error:>15.6g}  "
        f"{figures.root_mean_squared_error:>9.6g}  {figures.bias:>+11.6g}  {r2:>7}"
    )
