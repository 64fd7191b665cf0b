"""Whether a file has the columns that are read of it, in types that they may have."""

from collections import Counter
from collections.abc import Sequence

from pyarrow import DataType, Schema
from pyarrow.types import is_decimal, is_null

from configs.errors import InputError
from configs.lookalikes import describe_lookalike
from configs.suggest import nearest
from model_zoo.steps.moments import is_moment
from transforms.formats.column import Column
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


def takes_type(column: Column, actual: DataType) -> bool:
    """Tell whether a shard may hold a column in this type.

    Args:
        column: what is asked of it.
        actual: the type.
    """
    wanted = column.type
    if wanted is None or actual == wanted:
        return True
    # The same values in another form: `string` says nothing about offsets, views, dictionaries.
    if join_types(wanted, actual) is not None:
        return True
    # With as many digits or more on both sides of the point, each value stays what it is.
    if column.stated and is_decimal(wanted) and fits_exactly(actual, wanted):
        return True
    if not column.castable:
        return False
    # What is copied would not be a date any more.
    if not column.carried and may_be_dates(actual, wanted):
        return True
    if widens(actual, wanted):
        return True
    # Numbers are rounded for the model alone: what is copied to the output stays as it is.
    if column.carried and not has_forms(wanted):
        return False
    if fits_exactly(actual, wanted) or fits_rounded(actual, wanted):
        return True
    return _takes_more_digits(column, actual)


def keeps_form(column: Column, types: Sequence[DataType]) -> bool:
    """Tell whether a column comes out as the files have it, and not as its type is declared.

    So it is with what a model takes and is copied, too, unless it is a number: a contract tells
    texts from numbers, and not a dictionary from plain texts.

    Args:
        column: what is asked of it.
        types: those that files have.
    """
    wanted = column.type
    if column.stated or wanted is None:
        return False
    if not column.castable or not column.carried:
        return False
    # Lists, moments and decimals reach the steps in any form that fits.
    if not has_forms(wanted):
        for actual in types:
            if join_types(wanted, actual) is None:
                return False
    # Nothing but nulls would come out as null.
    are_null = [is_null(actual) for actual in types]
    return not all(are_null)


def choose_type(column: Column, found: Sequence[DataType]) -> DataType | None:
    """Return the declared type in which a column comes out; None where the files decide.

    Args:
        column: what is asked of it.
        found: the types that files have, which the column takes.
    """
    wanted = column.type
    if wanted is None or keeps_form(column, found):
        return None
    is_for_model_alone = not column.carried and not column.stated
    # In the contract's unit a shard's finer ones would be cut off.
    if is_for_model_alone and is_moment(wanted):
        return take_finest_unit(wanted, found)
    # As many digits as the largest value of the sample had may be too few.
    if is_for_model_alone and is_decimal(wanted):
        return take_most_digits(wanted, found)
    return wanted


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
            hint = _explain_index(column.name, schema)
            hint = hint or suggest_name(column.name, schema.names)
            raise InputError(f"{url}: has no column {column.name!r}{hint}")
        if count > 1:
            raise InputError(
                f"{url}: has {count} columns called {column.name!r}; give each its own name"
            )
        actual = schema.field(column.name).type
        if not takes_type(column, actual):
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
    # Only of what a contract says another model could say something else.
    other_way = ", or retrain" if column.castable else ""
    if column.stated:
        other_way = ", or state another one in source.types"
    return InputError(
        f"{url}: column {column.name!r} is {actual}, but must be {column.type}{where}; "
        f"write the file with that type{other_way}"
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


def _explain_index(name: str, schema: Schema) -> str:
    """Return why pandas wrote no column of this name, where it did not: a counting index is told, not stored."""
    try:
        told = (schema.pandas_metadata or {}).get("index_columns", ())
        names = [index["name"] for index in told if isinstance(index, dict)]
    except (AttributeError, KeyError, TypeError, ValueError):
        # Anybody may write anything there.
        return ""
    if name not in names:
        return ""
    return "; it is an index that pandas only counts; write the file after reset_index()"


def _takes_more_digits(column: Column, actual: DataType) -> bool:
    """Tell whether a shard's decimals may have more digits: the model takes the nearest number.

    pandas gives a column as many digits as its largest value has that night, and Polars 38.
    """
    wanted = column.type
    if column.stated or wanted is None:
        return False
    if not is_decimal(actual) or not is_decimal(wanted):
        return False
    return join_decimals([wanted, actual]) is not None
