"""Reads fields of a server's JSON, which may be of any kind."""

from collections.abc import Iterator
from typing import Any, TypeVar

from model_zoo.remote.failures import WrongError
from model_zoo.remote.json_arrays import Json

T = TypeVar("T")


def read_field(
    value: Json,
    field: str,
    kind: type[Any],
    otherwise: T,
) -> Any | T:
    """Return a field.

    Args:
        value: an object.
        field: its name.
        kind: of the field's value.
        otherwise: what is returned where the field is missing, or null.

    Raises:
        WrongError: it is of another kind.
    """
    found = value.get(field)
    if found is None:
        return otherwise
    is_of_kind = isinstance(found, kind)
    # To Python, true is an integer.
    if isinstance(found, bool) and kind is not bool:
        is_of_kind = False
    if not is_of_kind:
        raise WrongError(f"{field} must be of {kind.__name__} in the answer")
    return found


def read_text(value: Json, field: str) -> str:
    """Return a text; nothing where the field is missing, or null.

    Args:
        value, field: as for `read_field`.

    Raises:
        WrongError: it is no text.
    """
    text: str = read_field(value, field, str, "")
    return text


def read_objects(value: Json, field: str) -> Iterator[Json]:
    """Yield the objects of a list; none where the field is missing, or null.

    Args:
        value, field: as for `read_field`.

    Raises:
        WrongError: it is no list of objects.
    """
    for found in read_field(value, field, list, []):
        if not isinstance(found, dict):
            raise WrongError(f"{field} must be objects in the answer")
        yield found


def read_whole_numbers(value: Json, field: str) -> list[int]:
    """Return a list of whole numbers; an empty one where the field is missing, or null.

    Args:
        value, field: as for `read_field`.

    Raises:
        WrongError: it is no such list.
    """
    numbers: list[int] = read_field(value, field, list, [])
    # By its very type, as true is an integer, too.
    if not all(type(number) is int for number in numbers):
        raise WrongError(f"{field} must be whole numbers in the answer")
    return numbers
