"""What is known of the values of a column without reading them: statistics of a row group, a folder's name."""

from dataclasses import dataclass

from pyarrow import Scalar
from pyarrow.types import is_floating


@dataclass(frozen=True)
class Bounds:
    """What is known of the values of some rows in one column.

    Attributes:
        least, most: no value but null and NaN is smaller, or larger; None where nobody knows.
        may_be_null: whether a row may have no value.
        may_be_value: whether a row may have one.
    """

    least: Scalar | None = None
    most: Scalar | None = None
    may_be_null: bool = True
    may_be_value: bool = True

    @property
    def may_be_nan(self) -> bool:
        """Tell whether a value may be NaN, of which no statistics tell."""
        if self.least is None:
            return True
        return bool(is_floating(self.least.type))


def make_bounds_of(value: Scalar) -> Bounds:
    """Return what is known where all rows have one value, or none of them has any."""
    if not value.is_valid:
        return Bounds(may_be_value=False)
    return Bounds(value, value, may_be_null=False)
