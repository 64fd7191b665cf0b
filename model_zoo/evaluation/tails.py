"""How likely a statistic is to be as large as it is where nothing has changed: tails of distributions."""

from math import erfc, exp, isinf, lgamma, log, sqrt

# A sum is as exact as floats are once its terms are so small.
_EXACT = 1e-16
_MOST_TERMS = 100_000
# The first terms of Kolmogorov's series are all of it, from here on.
_FAR = 0.2


def find_normal_tail(score: float) -> float:
    """Return the chance that a standard normal number is as far from 0 as this one, on either side.

    >>> round(find_normal_tail(1.959964), 6)
    0.05
    """
    return erfc(abs(score) / sqrt(2))


def find_chi_squared_tail(statistic: float, degrees: int) -> float:
    """Return the chance of a chi-squared number at least as large.

    Args:
        statistic: 0 or more.
        degrees: of freedom; none at all where there is nothing to compare.

    >>> round(find_chi_squared_tail(3.841459, 1), 6)
    0.05
    """
    if degrees < 1 or statistic <= 0:
        return 1.0
    if isinf(statistic):
        return 0.0
    shape = degrees / 2
    half = statistic / 2
    # Each sum is short where the other one is long (Numerical Recipes, 6.2).
    if half < shape + 1:
        return 1.0 - _sum_lower(shape, half)
    return _continue_upper(shape, half)


def find_kolmogorov_tail(score: float) -> float:
    """Return the chance that the largest difference of two distributions is at least as large.

    Args:
        score: the difference times the root of n * m / (n + m), of n and m rows.

    >>> round(find_kolmogorov_tail(1.3581), 4)
    0.05
    """
    if score < _FAR:
        return 1.0
    total = 0.0
    for term in range(1, 101):
        sign = 1 if term % 2 else -1
        total += sign * exp(-2.0 * term * term * score * score)
    return min(1.0, max(0.0, 2.0 * total))


def _sum_lower(shape: float, value: float) -> float:
    """Return the regularised lower incomplete gamma function, by its series."""
    term = 1.0 / shape
    total = term
    for number in range(1, _MOST_TERMS):
        term *= value / (shape + number)
        total += term
        if term < total * _EXACT:
            break
    return total * exp(shape * log(value) - value - lgamma(shape))


def _continue_upper(shape: float, value: float) -> float:
    """Return the regularised upper incomplete gamma function, by its continued fraction (Lentz)."""
    tiny = 1e-300
    below = value + 1.0 - shape
    ratio = 1.0 / tiny
    inverse = 1.0 / below
    fraction = inverse
    for number in range(1, _MOST_TERMS):
        factor = -number * (number - shape)
        below += 2.0
        inverse = 1.0 / _keep_from_zero(factor * inverse + below, tiny)
        ratio = _keep_from_zero(below + factor / ratio, tiny)
        step = inverse * ratio
        fraction *= step
        if abs(step - 1.0) < _EXACT * 10:
            break
    return fraction * exp(shape * log(value) - value - lgamma(shape))


def _keep_from_zero(number: float, tiny: float) -> float:
    if abs(number) < tiny:
        return tiny
    return number
