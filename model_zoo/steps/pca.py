"""Step `pca`: many numbers of a row as fewer, along the directions in which training rows differ most."""

from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from configs.errors import InputError, JobError
from model_zoo.steps.arrays import cast_array, refuse_missing, to_matrix
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.fitting import to_plain_floats
from model_zoo.steps.step import ColumnNames, StepModel, Widths

Numbers: TypeAlias = tuple[float, ...]
HowMany: TypeAlias = Annotated[int, Field(ge=1)]
Share: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
# Of the largest one: a direction that explains no more than rounding does has no scale to divide by.
_LEAST_VARIANCE = 1e-14


class Pca(StepModel):
    """Project columns, side by side, onto principal components `into`, (rows, components).

    Fitted with scikit-learn's PCA. What it is fitted with is kept as numbers.

    Attributes:
        components: how many; or
        variance: as many as explain this share of the variance.
        whiten: divide each component by its standard deviation in the training rows.
        mean: of each number.
        axes: the directions, each of as many numbers as the columns have.
        deviations: of each component; only with `whiten`.
    """

    step: Literal["pca"]
    columns: ColumnNames
    into: str
    components: HowMany | None = None
    variance: Share | None = None
    whiten: bool = False
    dtype: Literal["float32", "float64"] = "float32"
    mean: Numbers | None = None
    axes: tuple[Numbers, ...] | None = None
    deviations: Numbers | None = None

    @property
    def is_fitted(self) -> bool:
        needed: list[object] = [self.mean, self.axes]
        if self.whiten:
            needed.append(self.deviations)
        return super().is_fitted and None not in needed

    @model_validator(mode="after")
    def _says_how_many_components(self) -> "Pca":
        has_components = self.components is not None
        has_variance = self.variance is not None
        says_one = has_components != has_variance
        # Axes that are there say it themselves.
        if self.axes is None and not says_one:
            raise ValueError("says how many: components, or variance, the share to be explained")
        return self

    @model_validator(mode="after")
    def _numbers_fit_together(self) -> "Pca":
        if self.mean is None or self.axes is None:
            return self
        if not self.axes:
            raise ValueError("axes must hold one component or more")
        numbers = len(self.mean)
        lengths = {len(axis) for axis in self.axes}
        if lengths != {numbers}:
            raise ValueError(f"each of axes must hold {numbers} numbers, as mean does")
        deviations = self.deviations
        if deviations is None:
            return self
        is_one_each = len(deviations) == len(self.axes)
        # Components are divided by them.
        if not is_one_each or 0.0 in deviations:
            raise ValueError("deviations must hold one number, other than 0, for each of axes")
        return self

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return `into`; a row with a missing number has missing components.

        Raises:
            JobError: the columns have not as many numbers as in training.
            RejectedRows: rows with a value that `dtype` cannot hold.
        """
        matrix = to_matrix(columns, self.columns, self.step)
        mean = np.array(self.mean)
        axes = np.array(self.axes)
        numbers = matrix.shape[1]
        if numbers != len(mean):
            names = ", ".join(self.columns)
            raise JobError(
                f"preprocess step pca was fitted on {len(mean)} numbers a row, and "
                f"{names} have {numbers}"
            )
        centred = matrix - mean
        # Not `@`: the last bits of what it gives a row hang on how many rows there are beside it.
        projected = np.einsum("rn,cn->rc", centred, axes)
        if self.whiten:
            projected /= np.array(self.deviations)
        dtype = np.dtype(self.dtype)
        cast = cast_array(self.into, projected, dtype)
        return {self.into: cast}

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        # None before the step is fitted.
        axes = self.axes or ()
        return {self.into: len(axes)}

    def fit(self, columns: Columns) -> Self:
        """Find the components."""
        # Training alone needs scikit-learn, which takes a second to import.
        from sklearn.decomposition import PCA

        matrix = to_matrix(columns, self.columns, self.step)
        refuse_missing(columns, self.columns, self.step)
        self._refuse_too_many(matrix)
        # A whole number of components, or a share of the variance: scikit-learn takes either.
        how_many = self.components or self.variance
        # Some of its solvers draw numbers.
        fitted = PCA(how_many, whiten=self.whiten, random_state=0)
        fitted.fit(matrix)
        mean = to_plain_floats(fitted.mean_)
        axes = tuple(to_plain_floats(axis) for axis in fitted.components_)
        changes: dict[str, object] = {"mean": mean, "axes": axes}
        if self.whiten:
            variances = fitted.explained_variance_
            changes["deviations"] = self._find_deviations(variances)
        return self.model_copy(update=changes)

    def _refuse_too_many(self, matrix: np.ndarray) -> None:
        """Refuse more components than there can be.

        Raises:
            JobError: than the columns have numbers.
            InputError: than there are rows to find them in; or no two rows differ.
        """
        rows, numbers = matrix.shape
        # A share of the variance is explained by one component at least.
        wanted = self.components or 1
        names = ", ".join(self.columns)
        if wanted > numbers:
            raise JobError(
                f"preprocess step pca: components is {wanted}, and {names} have "
                f"{numbers} numbers a row"
            )
        if wanted > rows:
            raise InputError(
                f"preprocess step pca: components is {wanted}, and there are {rows} training rows"
            )
        ranges = np.ptp(matrix, axis=0)
        if not ranges.any():
            raise InputError(f"preprocess step pca: no two training rows differ in {names}")

    def _find_deviations(self, variances: np.ndarray) -> Numbers:
        """Return the standard deviation of each component.

        Raises:
            InputError: one of them has none.
        """
        components = len(variances)
        least = _LEAST_VARIANCE * variances.max()
        has_none = variances <= least
        without = int(np.count_nonzero(has_none))
        if without:
            raise InputError(
                f"preprocess step pca: {without} of {components} components do not vary in the "
                "training rows, and cannot be whitened; ask for fewer components"
            )
        deviations = np.sqrt(variances)
        return to_plain_floats(deviations)
