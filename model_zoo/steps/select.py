"""Step `select`: of many columns, the numbers that tell something about what is to be predicted."""

from collections.abc import Iterator
from math import prod
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from configs.errors import InputError, JobError
from model_zoo.steps.arrays import (
    cast_array,
    flatten_rows,
    get_numbers,
    make_lines,
    refuse_missing,
    to_matrix,
)
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.feature_scores import score_features
from model_zoo.steps.step import ColumnNames, StepModel, Widths
from model_zoo.steps.target import Target

Method: TypeAlias = Literal["variance", "mutual_information", "l1"]
HowMany: TypeAlias = Annotated[int, Field(ge=1)]
Threshold: TypeAlias = Annotated[float, Field(ge=0)]
Strength: TypeAlias = Annotated[float, Field(gt=0)]
Place: TypeAlias = Annotated[int, Field(ge=0)]
Places: TypeAlias = tuple[Place, ...]

# Of scikit-learn's breast cancer 11 of 30 numbers remain, of its diabetes 8 of 10.
_STRENGTH = 0.01


class Select(StepModel):
    """Put the numbers that are kept of `columns` side by side as `into`, (rows, kept).

    Each number of a row has a score in the training rows; those with the `k` best scores are kept,
    or those whose score is more than `threshold`.

    Attributes:
        method: `variance`; `mutual_information` with what is to be predicted; or `l1`, the sizes of
            the coefficients of a linear model of the standardised numbers whose many weak ones are
            0: logistic regression of classes, Lasso of numbers.
        threshold: where it is not said and `k` is not either, 0 for `variance` and `l1`: numbers
            that do not vary, or do not count in the model, go.
        strength: of `l1`, the more the fewer are kept: what the penalty weighs beside a row's mean
            loss, Lasso's `alpha`; by default 0.01.
        kept: of each column, the places of its numbers that are kept; (0,) of a column of one.
    """

    fitted: ClassVar = ("kept",)
    step: Literal["select"]
    columns: ColumnNames
    into: str
    method: Method
    k: HowMany | None = None
    threshold: Threshold | None = None
    strength: Strength | None = None
    dtype: Literal["float32", "float64"] = "float32"
    kept: tuple[Places, ...] | None = None

    @model_validator(mode="after")
    def _says_how_many(self) -> "Select":
        has_k = self.k is not None
        has_threshold = self.threshold is not None
        has_strength = self.strength is not None
        if has_k and has_threshold:
            raise ValueError("says how many twice: k, and threshold")
        is_open = not has_k and not has_threshold
        # No feature is quite without information in a sample, so that 0 would keep them all.
        if self.method == "mutual_information" and is_open:
            raise ValueError("k or threshold is required when method is mutual_information")
        if self.method != "l1" and has_strength:
            raise ValueError("strength is of method l1 alone")
        if self.kept is not None and not any(self.kept):
            raise ValueError("kept must hold one number or more")
        return self

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return `into`, as `stack` would of the kept numbers alone.

        Raises:
            JobError: a column has not the numbers that are kept.
            RejectedRows: rows with a value that `dtype` cannot hold.
        """
        width = self._count_kept()
        dtype = np.dtype(self.dtype)
        # Line by line, as `stack` fills its buffer.
        buffer = make_lines(width, rows, dtype)
        start = 0
        for name, numbers in self._take_kept(columns):
            cast = cast_array(name, numbers, dtype)
            stop = start + cast.shape[1]
            buffer[start:stop] = cast.T
            start = stop
        return {self.into: buffer.T}

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        return {self.into: self._count_kept()}

    def fit(self, columns: Columns) -> Self:
        """Find what to keep without a target, as `variance` can."""
        return self.fit_to_target(columns, None)

    def fit_to_target(self, columns: Columns, target: Target | None) -> Self:
        """Find what to keep.

        Args:
            columns: training columns.
            target: what is to be predicted; `variance` needs none.

        Raises:
            JobError: the method needs a target, or `k` is more than there are numbers.
            InputError: a column has missing values, or no number would be kept.
        """
        needs_target = self.method != "variance"
        if needs_target and target is None:
            raise JobError(
                f"preprocess step select: method {self.method} looks at what is to be predicted, and "
                "there is no label; name its column (label), or select by variance"
            )
        matrix = to_matrix(columns, self.columns, self.step)
        refuse_missing(columns, self.columns, self.step)
        strength = self.strength or _STRENGTH
        scores = score_features(matrix, target, self.method, strength)
        if self.k is None:
            is_kept = self._choose_above_threshold(scores)
        else:
            is_kept = self._choose_best(scores, self.k)

        kept = []
        start = 0
        # The matrix has the numbers of one column behind those of the other.
        for name in self.columns:
            stop = start + _count_numbers_of(columns, name)
            of_column = is_kept[start:stop]
            places = np.flatnonzero(of_column)
            kept.append(tuple(places.tolist()))
            start = stop
        return self.model_copy(update={"kept": tuple(kept)})

    def _count_kept(self) -> int:
        # None before the step is fitted.
        kept = self.kept or ()
        return sum(map(len, kept))

    def _choose_best(self, scores: np.ndarray, k: int) -> np.ndarray:
        """Return bool (numbers,): which have the `k` best scores."""
        numbers = len(scores)
        if k > numbers:
            names = ", ".join(self.columns)
            raise JobError(
                f"preprocess step select: k is {k}, and {names} have {numbers} numbers a row"
            )
        # Stable: of equal scores the first ones are kept, whatever sorts them.
        best_first = np.argsort(-scores, kind="stable")
        is_kept = np.zeros(numbers, dtype=bool)
        is_kept[best_first[:k]] = True
        return is_kept

    def _choose_above_threshold(self, scores: np.ndarray) -> np.ndarray:
        """Return bool (numbers,): which have a score of more than `threshold`."""
        threshold = self.threshold or 0.0
        is_kept: np.ndarray = scores > threshold
        if is_kept.any():
            return is_kept
        asked = "lower threshold"
        # A weaker penalty leaves more coefficients that are not 0.
        if self.method == "l1":
            asked = "lower strength or threshold"
        names = ", ".join(self.columns)
        raise InputError(
            f"preprocess step select: method {self.method} keeps none of the {len(scores)} "
            f"numbers of {names}; {asked}, or say k"
        )

    def _take_kept(self, columns: Columns) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name of each column of which something is kept, and that, (rows, kept)."""
        kept = self.kept or ()
        for name, places in zip(self.columns, kept, strict=True):
            if not places:
                continue
            numbers = get_numbers(columns, name, self.step)
            # (rows, ...) -> (rows, numbers): places count along the last axis first, as in training.
            flat = flatten_rows(numbers)
            last = max(places)
            width = flat.shape[1]
            if last >= width:
                raise JobError(
                    f"preprocess step select keeps number {last} of column {name!r}, which "
                    f"has {width} numbers a row"
                )
            yield name, flat[:, places]


def _count_numbers_of(columns: Columns, name: str) -> int:
    column = columns[name]
    # An Arrow column that is a number has one a row.
    if not isinstance(column, np.ndarray):
        return 1
    of_a_row = column.shape[1:]
    return prod(of_a_row)
