"""How much each number of a row tells in the training rows, by scikit-learn; for the step `select`."""

from typing import Any
import warnings

import numpy as np

from configs.errors import InputError
from model_zoo.steps.target import Target

# What the estimators draw is drawn from it: the same rows keep the same columns.
_SEED = 0
# Enough for standardised numbers; a model that needs more is told of instead of awaited.
_MOST_ITERATIONS = 5000


def score_features(
    matrix: np.ndarray,
    target: Target | None,
    method: str,
    strength: float,
) -> np.ndarray:
    """Return a score for each number of a row, float64 (numbers,); 0 says that it tells nothing.

    Args:
        matrix: training rows, float64 (rows, numbers), without missing values.
        target: what is to be predicted of them; None for method `variance`.
        method: `variance`, `mutual_information` or `l1`.
        strength: of `l1`: what the penalty weighs beside a row's mean loss.

    Raises:
        InputError: the linear model is not found.
    """
    if target is None or method == "variance":
        # Rounding leaves a constant a variance of its own.
        is_constant = np.ptp(matrix, axis=0) == 0
        return np.where(is_constant, 0.0, matrix.var(axis=0))
    if method == "mutual_information":
        return _score_by_information(matrix, target)
    return _score_by_coefficients(matrix, target, strength)


def _score_by_information(matrix: np.ndarray, target: Target) -> np.ndarray:
    """Return mutual information with the target; of several labels or numbers, the largest."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    estimate = mutual_info_regression if target.task == "regression" else mutual_info_classif
    # A number that says yes or no is no quantity, whose nearest neighbours would be looked for.
    is_flag = np.isin(matrix, (0.0, 1.0)).all(axis=0)
    of_targets = []
    for values in _list_columns(target.values):
        scores = estimate(matrix, values, discrete_features=is_flag, random_state=_SEED)
        of_targets.append(scores)
    largest: np.ndarray = np.max(of_targets, axis=0)
    return largest


def _score_by_coefficients(
    matrix: np.ndarray,
    target: Target,
    strength: float,
) -> np.ndarray:
    """Return the sizes of linear models' coefficients, summed over classes, labels or numbers.

    Raises:
        InputError: a model is not found.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.preprocessing import StandardScaler

    # Coefficients of numbers in metres and in millimetres do not compare.
    standardised = StandardScaler().fit_transform(matrix)
    sizes = np.zeros(matrix.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for values in _list_questions(target):
            model = _make_model(target, strength, len(matrix))
            try:
                model.fit(standardised, values)
            except ConvergenceWarning as error:
                raise InputError(
                    "preprocess step select: method l1 finds no model of these columns within "
                    f"{_MOST_ITERATIONS:,} passes; raise strength, or select by another method"
                ) from error
            coefficients = np.atleast_2d(model.coef_)
            sizes += np.abs(coefficients).sum(axis=0)
    return sizes


def _make_model(target: Target, strength: float, rows: int) -> Any:
    from sklearn.linear_model import Lasso, LogisticRegression

    if target.task == "regression":
        return Lasso(alpha=strength, max_iter=_MOST_ITERATIONS)
    # C weighs the sum of the losses and not their mean, so that the same one would keep more columns
    # of more rows.
    inverse = 1 / (strength * rows)
    # The one solver that finds even models of classes which a plane parts without an error.
    return LogisticRegression(
        C=inverse,
        l1_ratio=1.0,
        solver="liblinear",
        max_iter=_MOST_ITERATIONS,
        random_state=_SEED,
    )


def _list_questions(target: Target) -> list[np.ndarray]:
    """Return what linear models are asked one by one, (rows,) each: of more than two classes, each."""
    columns = _list_columns(target.values)
    if target.task == "regression":
        return [_standardise(column) for column in columns]
    if target.task == "classification":
        classes = np.unique(target.values)
        # Of two classes, one is what the other is not.
        asked = classes[1:] if len(classes) == 2 else classes
        columns = [(target.values == number).astype(np.int64) for number in asked]
    # Of what no row is, or every row, there is nothing to learn.
    return [column for column in columns if np.ptp(column) > 0]


def _list_columns(values: np.ndarray) -> list[np.ndarray]:
    """Return what is predicted one by one, (rows,) each."""
    if values.ndim == 1:
        return [values]
    return list(values.T)


def _standardise(values: np.ndarray) -> np.ndarray:
    """Return numbers in a unit of their own, in which the penalty weighs what it weighs for others."""
    wide = values.astype(np.float64)
    deviation = wide.std()
    if deviation == 0:
        return wide
    standardised: np.ndarray = (wide - wide.mean()) / deviation
    return standardised
