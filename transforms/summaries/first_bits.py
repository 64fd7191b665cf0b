"""Counts of numbers by the first bits of their floats: sign, exponent, and the first 4 of the fraction.

These are cut points, too, the same for all numbers that there are, 16 of them from each power of two to
the next: so whatever is read off them is right within 1/16 of a number, in whichever order they came.
"""

from typing import NamedTuple

import numpy as np

# Of 64 bits: those of the fraction that are left out.
_LEFT_OUT_BITS = 48
# Of 32 bits, whose exponent has three bits fewer, the same ones of the fraction.
_LEFT_OUT_BITS_OF_32 = 19
_SMALLEST_NORMAL_OF_32 = float(np.finfo(np.float32).smallest_normal)


class _CountedKeys(NamedTuple):
    """First bits of numbers, and how many numbers have each."""

    keys: np.ndarray
    counts: np.ndarray


def find_bin(key: int) -> float:
    """Return the number nearest to zero that has these first bits.

    >>> find_bin(find_key(1.03)), find_bin(find_key(-40.0))
    (1.0, -40.0)
    """
    bits = np.array(key << _LEFT_OUT_BITS, dtype=np.uint64)
    nearest = bits.view(np.float64)
    return float(nearest)


def find_key(number: float) -> int:
    """Return the first bits of a number."""
    as_float = np.array(number, dtype=np.float64)
    bits = as_float.view(np.uint64)
    return int(bits) >> _LEFT_OUT_BITS


def count_bits(values: np.ndarray, weight: int) -> dict[int, int]:
    """Return how many numbers have which first bits.

    Args:
        values: finite ones, (numbers,).
        weight: how many each stands for.
    """
    if not len(values):
        return {}
    counted = None
    if values.dtype == np.float32:
        counted = _count_bits_of_32(values)
    if counted is None:
        # Nothing is added but to make zero of minus zero.
        wide = np.add(values, 0.0, dtype=np.float64)
        first_bits = wide.view(np.uint64)
        # In place: a second array of this size is memory that the kernel clears each time.
        first_bits >>= _LEFT_OUT_BITS
        counted = _count_keys(first_bits)
    keys, counts = counted
    of_all = counts * weight
    pairs = zip(keys.tolist(), of_all.tolist(), strict=True)
    return dict(pairs)


def _count_bits_of_32(values: np.ndarray) -> _CountedKeys | None:
    """Return the same of floats of 32 bits, by their own first bits; None where these do not tell."""
    first_bits = values.view(np.uint32) >> _LEFT_OUT_BITS_OF_32
    counted = _count_keys(first_bits)
    bits = counted.keys.astype(np.uint32) << _LEFT_OUT_BITS_OF_32
    nearest = bits.view(np.float32)
    # Zero of either sign, or a number so small that as one of 64 bits it has other first ones.
    sizes = np.abs(nearest)
    if sizes.min() < _SMALLEST_NORMAL_OF_32:
        return None
    wide = nearest.astype(np.float64)
    keys = wide.view(np.uint64) >> _LEFT_OUT_BITS
    return _CountedKeys(keys, counted.counts)


def _count_keys(keys: np.ndarray) -> _CountedKeys:
    """Return how often each key is there."""
    signed = keys.view(f"i{keys.itemsize}")
    # No place for keys beyond those that are there: to clear and search it took longer than to count.
    counts = np.bincount(signed)
    # Of booleans numpy finds the true ones faster than of integers those that are not zero.
    found = np.flatnonzero(counts > 0)
    return _CountedKeys(found, counts[found])
