"""How often nights that are as they should be raise an alarm: `python -m tests.benchmarks.drift_null`.

Thirty real measurements of tumours (scikit-learn) are the population. Each night, a reference and a night's rows are drawn from it, whole
rows with replacement, so that columns hang together as they do; the reference's quantiles cut both, and each column is compared. What is
printed is the share of nights with at least one alarm, by rule: a threshold alone, a chance alone, and both with the chance of all columns
together, as docs/monitor.md says. Then the same with one column that did change, which must be found.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer

from model_zoo.evaluation.drift import (
    Change,
    compare_kolmogorov_smirnov,
    compare_psi,
    find_beyond_chance,
)

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
THRESHOLD = 0.1
CHANCE = 0.05
# One night in a hundred may raise an alarm that is none.
LEVEL = 0.01


class Night(NamedTuple):
    """What each column's comparison gave."""

    psi: list[Change]
    kolmogorov_smirnov: list[Change]


def compare_night(reference: np.ndarray, rows: np.ndarray) -> Night:
    """Compare a night with its reference, both (rows, columns), column by column."""
    psi, kolmogorov_smirnov = [], []
    for then, now in zip(reference.T, rows.T, strict=True):
        points = np.unique(np.quantile(then, LEVELS))
        counts = [_count(values, points) for values in (then, now)]
        psi.append(compare_psi(*counts))
        kolmogorov_smirnov.append(compare_kolmogorov_smirnov(*counts))
    return Night(psi, kolmogorov_smirnov)


def list_alarms(night: Night) -> Iterator[str]:
    """The rules by which a night raises an alarm."""
    if any(change.distance >= THRESHOLD for change in night.psi):
        yield f"psi >= {THRESHOLD}"
    if any(change.chance < CHANCE for change in night.kolmogorov_smirnov):
        yield f"ks, chance < {CHANCE}"
    for name, changes in night._asdict().items():
        if any(find_beyond_chance([change.chance for change in changes], LEVEL)):
            yield f"{name}, {LEVEL} of all columns together"
    is_beyond = find_beyond_chance([change.chance for change in night.psi], LEVEL)
    pairs = zip(night.psi, is_beyond, strict=True)
    if any(beyond and change.distance >= THRESHOLD for change, beyond in pairs):
        yield f"psi >= {THRESHOLD} and beyond chance"


def simulate(
    nights: int, reference_rows: int, rows: int, shift: float, seed: int = 5
) -> Counter[str]:
    """How many nights raise an alarm, by rule; one column is shifted by so many of its deviations."""
    random = np.random.default_rng(seed)
    population = load_breast_cancer().data
    deviation = population[:, 0].std()
    alarms: Counter[str] = Counter()
    for _ in range(nights):
        reference = population[random.integers(0, len(population), reference_rows)]
        night = population[random.integers(0, len(population), rows)]
        night[:, 0] += shift * deviation
        alarms.update(list_alarms(compare_night(reference, night)))
    return alarms


def _count(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    places = np.searchsorted(points, values, side="right")
    return np.bincount(places, minlength=len(points) + 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=1_000)
    parser.add_argument("--reference_rows", type=int, default=5_000)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--shift", type=float, default=0.5)
    arguments = parser.parse_args()
    for rows in arguments.rows:
        for shift in (0.0, arguments.shift):
            alarms = simulate(arguments.nights, arguments.reference_rows, rows, shift)
            print(f"{rows} rows a night, one column of 30 shifted by {shift} of its deviation")
            for rule, count in sorted(alarms.items()):
                print(f"  {count / arguments.nights:7.2%} of nights: {rule}")


if __name__ == "__main__":
    main()
