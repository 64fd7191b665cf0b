"""Mean and deviation of numbers, in sums that merge exactly.

    batch of floats -> sum of differences from a number near their mean, and of their squares, in floats
    the same as whole numbers of units -> sum, and sum of squares, of the numbers themselves

A unit is 2 ** -1074, of which every float is a whole multiple. So what is rounded is rounded once, in a
batch, and the order of batches and workers changes nothing.
"""

from dataclasses import dataclass
from math import frexp, ldexp, sqrt

import numpy as np

# The mean of so many is near that of all of them, as a rule: near enough that few digits cancel out.
_FIRST = 256
_HUGE = 1e300
# Of differences whose squares neither overflow float32 nor vanish in it, also summed up.
_SMALL, _LARGE = 1e-12, 1e12
# A mean is far from zero where its square is more than so much of the mean square: then only a tenth of that
# is the deviation's, and of the seven digits of 32 bits one is lost.
_FAR = 0.9
# So many sums at once: enough for vector instructions, and few enough to stay in a core's cache.
_SIDE_BY_SIDE = 1_024
# Of so many it takes longer to begin twice than to add up; and digits are not lost yet.
_FEW = 4 * _SIDE_BY_SIDE
# The fraction of the smallest float, in binary digits; and that of its square.
_DIGITS = 1074
_DIGITS_OF_SQUARES = 2 * _DIGITS


@dataclass(frozen=True)
class Moments:
    """How many numbers there are, their sum, and the sum of their squares.

    Attributes:
        total: in units of 2 ** -1074.
        squares: in units of 2 ** -2148.
    """

    count: int = 0
    total: int = 0
    squares: int = 0

    @property
    def mean(self) -> float | None:
        """Return the mean; None of no numbers."""
        if not self.count:
            return None
        return self.total / (self.count << _DIGITS)

    @property
    def deviation(self) -> float | None:
        """Return the standard deviation of the population; None of no numbers."""
        if not self.count:
            return None
        # Sums of floats may come to a little less than nothing.
        squared_total = self.total * self.total
        spread = max(0, self.count * self.squares - squared_total)
        squared_count = self.count * self.count
        return _divide_and_root(spread, squared_count << _DIGITS_OF_SQUARES)


NO_MOMENTS = Moments()


def measure_moments(values: np.ndarray, minimum: float, maximum: float) -> Moments:
    """Return the moments of finite numbers.

    Args:
        values: of any number type, (numbers,).
        minimum, maximum: of the values; at least one value.
    """
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    largest = max(-minimum, maximum)
    if not largest or _SMALL < largest < _LARGE:
        moments = _measure_plain(values)
        if moments is not None:
            return moments
    return _measure_shifted(values, minimum, maximum)


def weigh_moments(moments: Moments, weight: int) -> Moments:
    """Return the moments of numbers each of which stands for several.

    Args:
        moments: of the numbers.
        weight: how many each stands for.
    """
    return Moments(
        moments.count * weight,
        moments.total * weight,
        moments.squares * weight,
    )


def merge_moments(first: Moments, second: Moments) -> Moments:
    """Return the moments of the numbers of both."""
    return Moments(
        first.count + second.count,
        first.total + second.total,
        first.squares + second.squares,
    )


def _measure_plain(values: np.ndarray) -> Moments | None:
    """Return the moments of numbers as they are; None where few digits of their deviation would be left."""
    count = len(values)
    total = _add_up(values)
    squares = _add_up_squares(values)
    if total * total > _FAR * count * squares:
        return None
    return Moments(
        count,
        _to_units(total, _DIGITS),
        _to_units(squares, _DIGITS_OF_SQUARES),
    )


def _measure_shifted(values: np.ndarray, minimum: float, maximum: float) -> Moments:
    """Return the moments of numbers that are far from zero: by differences from one of them."""
    shift = minimum
    # The sum of very large ones overflows: any number in their range will do.
    if max(-minimum, maximum) < _HUGE:
        first = values[:_FIRST]
        near = np.add.reduce(first, dtype=np.float64) / len(first)
        shift = float(values.dtype.type(near))
    # Halved for the same reason.
    half_above = maximum / 2 - shift / 2
    half_below = shift / 2 - minimum / 2
    half = max(half_above, half_below)
    if half and not _SMALL < half < _LARGE:
        return _measure_scaled(values, shift, half)
    differences = values - values.dtype.type(shift)
    return _shift_back(differences, shift, scale=0)


def _measure_scaled(values: np.ndarray, shift: float, half: float) -> Moments:
    """Return the moments of numbers of which squares overflow or vanish: of a power of two of them."""
    _, exponent = frexp(half)
    # A power beyond that of all floats would itself overflow.
    exponent = max(exponent, -1000)
    wide = values.astype(np.float64)
    scaled = np.ldexp(wide, -exponent)
    differences = scaled - ldexp(shift, -exponent)
    return _shift_back(differences, shift, exponent)


def _shift_back(differences: np.ndarray, shift: float, scale: int) -> Moments:
    """Return the moments of `shift` + 2 ** `scale` * differences."""
    count = len(differences)
    sum_of_differences = _add_up(differences)
    sum_of_squares = _add_up_squares(differences)
    total = _to_units(sum_of_differences, _DIGITS + scale)
    squares = _to_units(sum_of_squares, _DIGITS_OF_SQUARES + 2 * scale)
    origin = _to_units(shift, _DIGITS)
    # (origin + x) ** 2, multiplied out.
    mixed = 2 * origin * total
    return Moments(
        count,
        total + count * origin,
        squares + mixed + count * origin * origin,
    )


def _add_up(numbers: np.ndarray) -> float:
    """Return the sum of numbers, in an order of additions that is always the same.

    In columns side by side, which vector instructions add up at once; and then the columns' own sums.
    """
    if len(numbers) <= _FEW:
        return float(np.add.reduce(numbers))
    left = len(numbers) % _SIDE_BY_SIDE
    whole = len(numbers) - left
    in_columns = numbers[:whole].reshape(-1, _SIDE_BY_SIDE)
    sums = np.add.reduce(in_columns, axis=0)
    total = float(np.add.reduce(sums))
    # Even a sum of nothing takes its time.
    if left:
        total += float(np.add.reduce(numbers[whole:]))
    return total


def _add_up_squares(numbers: np.ndarray) -> float:
    """Return the sum of squares, in an order of additions that is always the same on one kind of processor."""
    if len(numbers) <= _FEW:
        return float(np.dot(numbers, numbers))
    left = len(numbers) % _SIDE_BY_SIDE
    whole = len(numbers) - left
    in_rows = numbers[:whole].reshape(-1, _SIDE_BY_SIDE)
    # By BLAS, in one pass: of so few numbers it gives none to another thread, which would change the order.
    sums = np.vecdot(in_rows, in_rows)
    total = float(np.add.reduce(sums, dtype=np.float64))
    if left:
        rest = numbers[whole:]
        total += float(np.dot(rest, rest))
    return total


def _to_units(number: float, digits: int) -> int:
    """Return how many times 2 ** -digits a number is, which it is a whole number of times."""
    numerator, denominator = float(number).as_integer_ratio()
    # A power of two.
    own_digits = denominator.bit_length() - 1
    return numerator << (digits - own_digits)


def _divide_and_root(dividend: int, divisor: int) -> float:
    """Return the square root of a fraction, also where that itself is no float."""
    digits = dividend.bit_length() - divisor.bit_length()
    half = digits // 2
    # By a power of four, which leaves a fraction near 1 (or 0), which always is a float. Not as a Fraction: to
    # shorten one of thousands of digits takes longer than all else that is written of a column.
    if half < 0:
        dividend <<= -2 * half
    else:
        divisor <<= 2 * half
    return ldexp(sqrt(dividend / divisor), half)
