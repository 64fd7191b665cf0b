"""Columns that are read of files, and whether a file has them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pyarrow import DataType, Schema
from pyarrow.types import is_decimal, is_null

from configs.errors import InputError
from configs.lookalikes import describe_lookalike
from configs.suggest import nearest
from model_zoo.steps.moments import is_moment
from transforms.joined_types import join_types
from transforms.model_types import (
    fits_exactly,
    fits_rounded,
    has_forms,
    join_decimals,
    may_be_dates,
    take_finest_unit,
    take_most_digits,
    widens,
)


@dataclass(frozen=True)
class Column:
    """A column to read.

    Attributes:
        type: what it must be, in whatever physical form; None when the files decide.
        castable: the model's contract states the type, so a narrower number in a shard is widened.
        carried: it is copied to the output, so its values must stay exactly as they are.
        stated: the job states the type, so it is what the column comes out in.
    """

    name: str
    type: DataType | None
    castable: bool = False
    carried: bool = False
    stated: bool = False

    def takes(self, actual: DataType) -> bool:
        """Tell whether a shard may hold the column in this type."""
        if self.type is None or actual == self.type:
            return True
        # The same values in another form: `string` says nothing about offsets, views, dictionaries.
        if join_types(self.type, actual) is not None:
            return True
        # With as many digits or more on both sides of the point, each value stays what it is.
        if self.stated and is_decimal(self.type) and fits_exactly(actual, self.type):
            return True
        if not self.castable:
            return False
        # What is copied would not be a date any more.
        if not self.carried and may_be_dates(actual, self.type):
            return True
        if widens(actual, self.type):
            return True
        # Numbers are rounded for the model alone: what is copied to the output stays as it is.
        if self.carried and not has_forms(self.type):
            return False
        if fits_exactly(actual, self.type) or fits_rounded(actual, self.type):
            return True
        return self._takes_more_digits(actual)

    def _takes_more_digits(self, actual: DataType) -> bool:
        """Tell whether a shard's decimals may have more digits: the model takes the nearest number.

        pandas gives a column as many digits as its largest value has that night, and Polars 38.
        """
        if self.stated or self.type is None:
            return False
        if not is_decimal(actual) or not is_decimal(self.type):
            return False
        return join_decimals([self.type, actual]) is not None

    def keeps_form(self, types: Sequence[DataType]) -> bool:
        """Tell whether the column comes out as the files have it, and not as its type is declared.

        So it is with what a model takes and is copied, too, unless it is a number: a contract tells
        texts from numbers, and not a dictionary from plain texts.
        """
        if self.stated or self.type is None:
            return False
        if not self.castable or not self.carried:
            return False
        # Lists, moments and decimals reach the steps in any form that fits.
        if not has_forms(self.type):
            for actual in types:
                if join_types(self.type, actual) is None:
                    return False
        # Nothing but nulls would come out as null.
        are_null = [is_null(actual) for actual in types]
        return not all(are_null)

    def choose_type(self, found: Sequence[DataType]) -> DataType | None:
        """Return the declared type in which the column comes out; None where the files decide.

        Args:
            found: the types that files have, which the column takes.
        """
        if self.type is None or self.keeps_form(found):
            return None
        is_for_model_alone = not self.carried and not self.stated
        # In the contract's unit a shard's finer ones would be cut off.
        if is_for_model_alone and is_moment(self.type):
            return take_finest_unit(self.type, found)
        # As many digits as the largest value of the sample had may be too few.
        if is_for_model_alone and is_decimal(self.type):
            return take_most_digits(self.type, found)
        return self.type


def check_columns(
    url: str,
    schema: Schema,
    wanted: Sequence[Column],
) -> None:
    """Refuse a file that lacks a wanted column, has it twice, or in a type that it may not have.

    Args:
        url: the file, for the message.
        schema: its columns.
        wanted: the columns that will be read.

    Raises:
        InputError: the first such column.
    """
    # Counted once: a table may have thousands of columns, and all of them may be wanted.
    counts = Counter(schema.names)
    for column in wanted:
        count = counts[column.name]
        if count == 0:
            hint = suggest_name(column.name, schema.names)
            raise InputError(f"{url}: has no column {column.name!r}{hint}")
        if count > 1:
            raise InputError(
                f"{url}: has {count} columns called {column.name!r}; give each its own name"
            )
        actual = schema.field(column.name).type
        if not column.takes(actual):
            raise refuse_type(url, column, actual)


def refuse_type(url: str, column: Column, actual: DataType) -> InputError:
    """Return the refusal of a file that has a column in another type.

    Args:
        url: the file.
        column: the column, with the type that it must have.
        actual: the type that it has.
    """
    where = ""
    if column.carried:
        where = " in every file, because it is copied to the output as it is"
    return InputError(
        f"{url}: column {column.name!r} is {actual}, but must be {column.type}{where}; "
        "write the file with that type, or retrain"
    )


def suggest_name(name: str, names: Sequence[str]) -> str:
    """Return a hint at what a file calls a column that it lacks; none where nothing is near.

    Args:
        name: of the column.
        names: those that the file has.
    """
    # Before the nearest: in a message, nobody sees spaces at the ends of a name.
    for other in names:
        if other.strip() == name:
            return f"; but {other!r}, with spaces around it; take them out of the file"
    return describe_lookalike(name, names) or nearest(name, names)
