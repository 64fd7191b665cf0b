"""How often the monitor is wrong: nights without drift, and with each of ten kinds of it: `python -m tests.benchmarks.drift_kinds`.

Thirty real measurements of tumours (scikit-learn), a category, a column with gaps and a label are the population. Each night, rows of a
reference and of the night are drawn from it with replacement, profiled as a run profiles them, and judged as a run is before it is
published, by the thresholds of docs/monitor.md. With `--most_whole_rows` nights and references of more rows are counted as large units
are, in some of their rows, and with `--filled 0.001` the column that changes is empty but for so many of its rows. A miss is a night with
drift that is neither warned of nor held; a false alarm is a finding about anything that did not change.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from functools import cache, reduce
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_breast_cancer

from model_zoo.evaluation.findings import Finding, Limit, Rules
from model_zoo.evaluation.judged import judge_drifts, judge_rows
from model_zoo.evaluation.profile_drift import compare_profiles
from transforms.summaries.chosen_rows import RowPlaces
from transforms.summaries.known import Known
from transforms.summaries.numbers import CutPoints
from transforms.summaries.profile import Profile
from transforms.summaries.reference import Place, Reference

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
COLUMNS = {
    "psi": Limit(warn=0.1, hold=0.25),
    "missing": Limit(warn=0.02, hold=0.1),
    "new": Limit(warn=0.01, hold=0.1),
}
SCORES = {"psi": Limit(warn=0.1, hold=0.25), "label_share": Limit(warn=0.05, hold=0.1)}
REGIONS = ("north", "south", "east", "west", "islands")
SHARES = (0.4, 0.25, 0.15, 0.1, 0.1)
# Of a unit of a small model; how many of a batch's rows have a value decides which are counted.
BATCH_ROWS = 65_536
# Columns by name, with missing ones as NaN, and texts as objects.
Rows: TypeAlias = dict[str, np.ndarray]
Change: TypeAlias = Callable[[Rows, np.random.Generator], None]


@cache
def load_population() -> tuple[np.ndarray, np.ndarray]:
    data = load_breast_cancer()
    return data.data, data.target


def draw_rows(random: np.random.Generator, rows: int, count: int = 30) -> Rows:
    """Rows of the population, whole, so that columns hang together as they do; so many measurements."""
    measurements, labels = load_population()
    chosen = random.integers(0, len(labels), rows)
    drawn = measurements[chosen, :count].T
    columns: Rows = {f"m{number}": column for number, column in enumerate(drawn)}
    columns["gaps"] = np.where(random.random(rows) < 0.05, np.nan, columns["m1"])
    columns["region"] = random.choice(np.array(REGIONS, dtype=object), rows, p=SHARES)
    columns["label"] = np.array(["no", "yes"], dtype=object)[labels[chosen]]
    return columns


def empty_most(random: np.random.Generator, values: np.ndarray, filled: float) -> np.ndarray:
    """Values of which so large a part is there, and no other."""
    is_there = random.random(len(values)) < filled
    return np.where(is_there, values, np.nan)


def _shift(rows: Rows, random: np.random.Generator) -> None:
    rows["m0"] = rows["m0"] + 0.5 * rows["m0"].std()


def _scale(rows: Rows, random: np.random.Generator) -> None:
    mean = rows["m0"].mean()
    rows["m0"] = mean + 1.7 * (rows["m0"] - mean)


def _lengthen_tail(rows: Rows, random: np.random.Generator) -> None:
    is_far = random.random(len(rows["m0"])) < 0.1
    rows["m0"] = np.where(is_far, 3 * rows["m0"], rows["m0"])


def _lose_values(rows: Rows, random: np.random.Generator) -> None:
    is_lost = random.random(len(rows["gaps"])) < 0.15
    rows["gaps"] = np.where(is_lost, np.nan, rows["gaps"])


def _add_category(rows: Rows, random: np.random.Generator) -> None:
    rows["region"] = np.where(random.random(len(rows["region"])) < 0.05, "abroad", rows["region"])


def _lose_category(rows: Rows, random: np.random.Generator) -> None:
    rows["region"] = np.where(rows["region"] == "islands", "north", rows["region"])


def _change_unit(rows: Rows, random: np.random.Generator) -> None:
    rows["m0"] = rows["m0"] / 10


def _stand_still(rows: Rows, random: np.random.Generator) -> None:
    rows["m0"] = np.full_like(rows["m0"], np.median(rows["m0"]))


def _deliver_half(rows: Rows, random: np.random.Generator) -> None:
    for name in rows:
        rows[name] = rows[name][: len(rows[name]) * 9 // 20]


def _shift_labels(rows: Rows, random: np.random.Generator) -> None:
    rows["label"] = np.where(random.random(len(rows["label"])) < 0.25, "no", rows["label"])


# By what is told of each: the column that changed; None of all rows.
KINDS: dict[str, tuple[Change, str | None]] = {
    "shift": (_shift, "m0"),
    "scale": (_scale, "m0"),
    "tail": (_lengthen_tail, "m0"),
    "null share": (_lose_values, "gaps"),
    "new category": (_add_category, "region"),
    "lost category": (_lose_category, "region"),
    "unit change": (_change_unit, "m0"),
    "constant column": (_stand_still, "m0"),
    "half-delivered day": (_deliver_half, None),
    "label shift": (_shift_labels, "label"),
}


def profile_rows(
    rows: Rows, reference: Reference, most_whole_rows: int | None = None
) -> list[dict[str, Any]]:
    """The records of a run's profile, of one unit."""
    columns = {name: pa.array(values, from_pandas=True) for name, values in rows.items()}
    inputs = [name for name in columns if name != "label"]
    profile = Profile(tuple(inputs), reference, most_whole_rows=most_whole_rows)
    count = len(rows["label"])
    states = []
    for first in range(0, count, BATCH_ROWS):
        batch = {name: column.slice(first, BATCH_ROWS) for name, column in columns.items()}
        numbers = np.arange(first, first + len(batch["label"]))
        places = RowPlaces(numbers, count)
        states.append(profile.of("input", batch, places))
        states.append(profile.of("score", {"label": batch["label"]}, places))
    return profile.write(reduce(profile.merge, states)).to_pylist()


def know_quantiles(rows: Rows) -> Reference:
    """What training knows of numbers: its quantiles."""
    known: dict[Place, Known] = {}
    for name, values in rows.items():
        if values.dtype == object:
            continue
        there = values[~np.isnan(values)]
        points = sorted(set(np.quantile(there, LEVELS).tolist()))
        cuts = CutPoints(float(there.min()), float(there.max()), tuple(points))
        known["input", name, "value"] = Known(cuts)
    return Reference(known)


def judge_night(then: Rows, now: Rows, most_whole_rows: int | None = None) -> list[Finding]:
    """What is told of a night, by the rules of docs/monitor.md; notes are left out."""
    names = [name for name in then if name != "label"]
    rules = Rules(dict.fromkeys(names, COLUMNS), {}, SCORES, Limit(hold=0.5), Limit(hold=2.0))
    reference = know_quantiles(then)
    before, profile = (profile_rows(rows, reference, most_whole_rows) for rows in (then, now))
    drifts = compare_profiles(before, profile)
    found = judge_drifts(drifts, rules)
    found += judge_rows(len(now["m0"]), [len(then["m0"])], rules)
    return [finding for finding in found if finding.level != "note"]


def simulate(
    kind: str | None,
    nights: int,
    reference_rows: int,
    rows: int,
    most_whole_rows: int | None = None,
    filled: float = 1.0,
    measurements: int = 30,
) -> Counter[str]:
    """How many nights are held, warned of, missed, and have a false alarm."""
    random = np.random.default_rng([7, rows])
    counts: Counter[str] = Counter()
    for _ in range(nights):
        then, now = (draw_rows(random, count, measurements) for count in (reference_rows, rows))
        changed = None
        if kind is not None:
            change, changed = KINDS[kind]
            change(now, random)
        if filled < 1:
            for drawn in (then, now):
                drawn["m0"] = empty_most(random, drawn["m0"], filled)
        found = judge_night(then, now, most_whole_rows)
        right = [finding for finding in found if kind is not None and finding.column == changed]
        # Of half a night the columns are as they were; of another one there are as many rows.
        counts["false"] += len(right) < len(found)
        counts["held"] += any(finding.level == "hold" for finding in right)
        counts["missed"] += kind is not None and not right
    return counts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=200, help="of each kind of drift")
    parser.add_argument("--without", type=int, default=1_000, help="nights without drift")
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument(
        "--most_whole_rows", type=int, help="some rows of larger nights are counted"
    )
    parser.add_argument("--filled", type=float, default=1.0, help="of the column that changes")
    parser.add_argument("--measurements", type=int, default=30, help="columns beside the others")
    arguments = parser.parse_args()
    for rows in arguments.rows:
        print(f"| {rows:,} rows a night, and in the reference | missed | held | false alarms |")
        for kind in (None, *arguments.kinds):
            nights = arguments.without if kind is None else arguments.nights
            counts = simulate(
                kind,
                nights,
                rows,
                rows,
                arguments.most_whole_rows,
                arguments.filled,
                arguments.measurements,
            )
            shares = [f"{counts[name] / nights:.1%}" for name in ("missed", "held", "false")]
            print(f"| {kind or 'no drift'} ({nights:,}) | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
