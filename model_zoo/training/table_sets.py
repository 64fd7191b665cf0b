"""The tables of numbers that come with scikit-learn, as Arrow tables with a unique key."""

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn import datasets


def breast_cancer() -> pa.Table:
    """Return the Wisconsin diagnostic breast cancer data: 569 tumours.

    Columns: `id` int64, 30 float64 measurements under scikit-learn's names (`mean radius`, ...),
    `diagnosis` string (`malignant` or `benign`). Source: Wolberg, Street and Mangasarian, UCI
    Machine Learning Repository, 1995.
    """
    found = datasets.load_breast_cancer()
    return _make_classes(found, label="diagnosis")


def wine() -> pa.Table:
    """Return the chemical analysis of 178 wines from three cultivars.

    Columns: `id` int64, 13 float64 measurements under scikit-learn's names, `cultivar` string
    (`class_0` to `class_2`). Source: Aeberhard and Forina, UCI Machine Learning Repository, 1991.
    """
    found = datasets.load_wine()
    return _make_classes(found, label="cultivar")


def iris() -> pa.Table:
    """Return the measures of 150 flowers of three species.

    Columns: `id` int64, 4 float64 measurements under scikit-learn's names, `species` string.
    Source: Fisher, The use of multiple measurements in taxonomic problems, 1936.
    """
    found = datasets.load_iris()
    return _make_classes(found, label="species")


def diabetes() -> pa.Table:
    """Return the measurements of 442 patients with diabetes, and how it went on within a year.

    Columns: `id` int64, 10 float64 measurements under scikit-learn's names, in the units in which
    they were taken, `progression` float64. Source: Efron, Hastie, Johnstone and Tibshirani, Least
    angle regression, 2004.
    """
    # Its own scaling knows of all rows, those that are held out for the test among them.
    found = datasets.load_diabetes(scaled=False)
    columns = _make_columns(found.feature_names, found.data)
    columns["progression"] = pa.array(found.target)
    return pa.table(columns)


def linnerud() -> pa.Table:
    """Return 20 people's exercises and what is measured of their bodies.

    Columns: `id` int64, float64 of three exercises (`Chins`, `Situps`, `Jumps`), and of three
    numbers to be predicted (`Weight`, `Waist`, `Pulse`). Source: Tenenhaus, La regression PLS, 1998.
    """
    found = datasets.load_linnerud()
    names = found.feature_names + found.target_names
    both = [found.data, found.target]
    numbers = np.hstack(both)
    columns = _make_columns(names, numbers)
    return pa.table(columns)


def make_ids(rows: int) -> pa.Array:
    """Return the numbers of rows, int64, from 0 on."""
    numbers = np.arange(rows, dtype=np.int64)
    return pa.array(numbers)


def _make_classes(found: Any, label: str) -> pa.Table:
    """Return scikit-learn's numbers, and the names of their classes in a column of their own.

    Args:
        found: as scikit-learn gives it.
        label: name of that column.
    """
    columns = _make_columns(found.feature_names, found.data)
    labels = found.target_names[found.target]
    # As Python's own strings: what Arrow makes of numpy's depends on numpy's version.
    columns[label] = pa.array(labels.tolist())
    return pa.table(columns)


def _make_columns(
    names: list[str],
    numbers: np.ndarray,
) -> dict[str, pa.Array]:
    """Return `id`, and the numbers (rows, columns) by their columns' names."""
    rows = len(numbers)
    columns = {"id": make_ids(rows)}
    # By column: what Arrow takes over must lie side by side in memory.
    by_column = np.ascontiguousarray(numbers.T)
    for name, values in zip(names, by_column, strict=True):
        columns[name] = pa.array(values)
    return columns
