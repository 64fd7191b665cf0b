"""YAML file, `--set` overrides and flags to a validated value.

Every error is told at once, each with the nearest valid key.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
import re
from typing import Any, TypeAlias, TypeVar, get_args

import fsspec
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from configs.errors import JobError
from configs.fields import Fields, holds_credentials
from configs.safe_yaml import MOST_BYTES, NotPlainYaml, parse_yaml
from configs.suggest import nearest

T = TypeVar("T", bound=BaseModel)
# pydantic's kinds of errors about what should be a list.
_OF_A_LIST = ("list_type", "tuple_type")
# What pydantic says of its own classes and of Python's, in words of YAML.
_PLAIN_WORDS = {
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a section of keys and values",
    "model_type": "must be a section of keys and values",
    "string_type": "must be a text",
}
# A column may well be called so.
_UNQUOTED = "; YAML takes a bare no, on, 12 or 2026-01-31 for no text, so put it in quotes"
# How pydantic names the kinds of values that one field may have, behind the field's own name.
_KIND_OF_VALUE = re.compile(r"(?:function-\w+|literal)\[")
# `a.b`, and the YAML text of its value.
Override: TypeAlias = tuple[str, str]


def load(
    model: type[T],
    path: str | None,
    overrides: Sequence[Override] = (),
) -> T:
    """Read one YAML file as `model`.

    Args:
        model: the class that says which keys there are.
        path: the file, or an fsspec URL; None where flags say all of it.
        overrides: (`a.b`, YAML text of the value), applied in order.

    Raises:
        JobError: everything that is wrong, in one message.
    """
    fields = read_fields(path, overrides)
    return _validate(model, fields, path)


def read_fields(path: str | None, overrides: Sequence[Override] = ()) -> Fields:
    """Return what a YAML file and flags say, whether that is valid or not.

    Args:
        path: the file, or an fsspec URL; None where flags say all of it.
        overrides: (`a.b`, YAML text of the value), applied in order.

    Raises:
        JobError: it cannot be read, or an override leads nowhere.
    """
    fields: Fields = {}
    if path is not None:
        fields = read_mapping(path)
    _override(fields, overrides, "--set")
    return fields


def parse_fields(model: type[T], flag: str, overrides: Sequence[Override]) -> T:
    """Read what a flag says of `model`, whose other fields have their defaults.

    Args:
        model: the class that says which keys there are.
        flag: the flag, for errors.
        overrides: (`a.b`, YAML text of the value), applied in order.

    Raises:
        JobError: everything that is wrong, in one message.
    """
    fields: Fields = {}
    _override(fields, overrides, flag)
    return _validate(model, fields, flag)


def _override(fields: Fields, overrides: Sequence[Override], flag: str) -> None:
    # In order: a later one may change what an earlier one has set.
    for key, text in overrides:
        said = f"{flag} {key}"
        value = _parse(text, said)
        _set(fields, key, value, said)


def _validate(model: type[T], fields: Fields, place: str | None) -> T:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        details = error.errors()
    problems = [_describe(problem, model) for problem in _leave_out_short(details)]
    # Once each: a union of sections says the same of every member.
    different = dict.fromkeys(problems)
    message = "; ".join(different)
    if place is not None:
        message = f"{place}: {message}"
    # Outside of `except`, so not chained: pydantic's own text quotes what may be a secret.
    raise JobError(message)


def _leave_out_short(details: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Yield errors, but for lists that are too short only because entries of theirs are wrong.

    pydantic counts only those that are right: a list of one wrong entry has none then.
    """
    for error in details:
        place = error["loc"]
        depth = len(place)
        beneath = [other for other in details if other["loc"][:depth] == place]
        # One of them is the error itself.
        if error["type"] != "too_short" or len(beneath) == 1:
            yield error


def parse_set(
    text: str,
    flag: str = "--set",
    example: str = "key.sub=value, for example --set model.batch_rows=256",
) -> Override:
    """Return `a.b=value` as (key, value text).

    Args:
        text: what stands behind the flag.
        flag: the flag, for errors.
        example: how it is written right.

    Raises:
        JobError: there is no `=`, or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise JobError(f"{flag} {text}: must be {example}")
    return key, value


def read_mapping(path: str) -> Fields:
    """Return the keys and values of a YAML file.

    Raises:
        JobError: it cannot be read, or is none.
    """
    if holds_credentials(path):
        raise JobError(
            "--config: its URL must hold no credentials; "
            "put them where the store's own library looks for them"
        )
    try:
        with fsspec.open(path) as file:
            # A byte too many is enough to refuse it.
            content = file.read(MOST_BYTES + 1)
        text = content.decode()
    except (OSError, ValueError, ImportError) as error:
        # The system's words alone, as its whole text says the path again.
        reason = getattr(error, "strerror", None) or error
        raise JobError(
            f"{path}: cannot be read: {reason}; --config must name a YAML file"
        ) from error
    fields = _parse(text, path)
    if isinstance(fields, dict):
        return fields
    kind = type(fields).__name__
    raise JobError(f"{path}: must be a mapping of keys to values, got {kind}")


def _parse(text: str, place: str) -> Any:
    try:
        return parse_yaml(text)
    except NotPlainYaml as error:
        raise JobError(f"{place}: not valid YAML: {error}") from error


def _set(
    fields: Fields,
    key: str,
    value: Any,
    said: str,
) -> None:
    """Put a value under a dotted key, and make the sections on the way.

    Args:
        fields: of the job, changed in place.
        key: `a.b`, or `a.0.b` for a field of the first entry of the list `a`.
        value: what it becomes.
        said: flag and key, for errors.

    Raises:
        JobError: it leads through a value, or beyond the end of a list.
    """
    *sections, last = key.split(".")
    place: Any = fields
    name = ""
    for section in sections:
        place = _enter(place, section, name, said)
        name = section

    _refuse_value(place, name, said)
    if isinstance(place, list):
        index = _find_index(place, last, name, said)
        place[index] = value
    else:
        place[last] = value


def _enter(
    place: Any,
    section: str,
    name: str,
    flag: str,
) -> Any:
    """Return what lies under one word of a dotted key.

    Args:
        place: a section or a list.
        section: the word.
        name: of the place.
        flag: flag and key, for errors.
    """
    _refuse_value(place, name, flag)
    if isinstance(place, list):
        index = _find_index(place, section, name, flag)
        return place[index]
    return place.setdefault(section, {})


def _refuse_value(place: Any, name: str, flag: str) -> None:
    if not isinstance(place, dict | list):
        raise JobError(f"{flag}: {name} is a value, not a section")


def _find_index(
    entries: Sequence[Any],
    word: str,
    name: str,
    flag: str,
) -> int:
    """Return the number of a list's entry.

    Args:
        entries: of the list.
        word: of the key, which numbers it from 0 on.
        name: of the list.
        flag: flag and key, for errors.

    Raises:
        JobError: it is no number, or there is no such entry.
    """
    count = len(entries)
    for number in range(count):
        # As texts: `int` would take -1 and 01, too.
        if word == str(number):
            return number
    raise JobError(
        f"{flag}: there is no {name}.{word}; {name} is a list of {count}, numbered from 0"
    )


def _describe(error: ErrorDetails, model: type[BaseModel]) -> str:
    location = error["loc"]
    kind = error["type"]
    words = [str(part) for part in location]
    place = ".".join(word for word in words if not _KIND_OF_VALUE.match(word))
    # pydantic's words of these are about models and inputs, not about keys of a job.
    if kind == "extra_forbidden":
        *sections, name = location
        keys = _list_keys(model, sections)
        hint = nearest(str(name), keys)
        return f"{place}: unknown key{hint}"
    if kind == "missing":
        return f"{place}: is required"
    value = error.get("input")
    if kind in _OF_A_LIST and _is_numbered(value):
        return f"{place}: has no entries, so that none can be overridden by its number"

    said = error["msg"]
    # pydantic's own words before those of a validator.
    problem = _PLAIN_WORDS.get(kind, said.removeprefix("Value error, "))
    value_there = _describe_value(error)
    message = f"{problem}{value_there}{_suggest_word(error)}"
    if kind == "string_type" and isinstance(value, int | float | date):
        message += _UNQUOTED
    # A rule of the whole job has no place.
    if not place:
        return message
    return f"{place}: {message}"


def _is_numbered(value: object) -> bool:
    """Tell whether a value is the section that overrides made of a list that is not there."""
    if not isinstance(value, dict):
        return False
    keys = [str(key) for key in value]
    are_numbers = all(key.isdigit() for key in keys)
    return bool(keys) and are_numbers


def _describe_value(error: ErrorDetails) -> str:
    """Return what was written there, where that is short and may be shown."""
    # Raised by `configs.job` for a URL that holds a password.
    if error["type"] == "secret":
        return ""
    value = error.get("input")
    # Others, a whole section for example, are too long for a line.
    if isinstance(value, date):
        return f", got {value}"
    if not isinstance(value, str | int | float | bool):
        return ""
    return f", got {value!r}"


def _suggest_word(error: ErrorDetails) -> str:
    """Return the nearest of the words that may stand there, where a word that is none does."""
    value = error.get("input")
    if error["type"] != "literal_error" or not isinstance(value, str):
        return ""
    # The message names all of them, in quotes.
    known = re.findall(r"'([^']*)'", error["msg"])
    hint = nearest(value, known)
    return hint if "did you mean" in hint else ""


def _list_keys(model: Any, sections: Sequence[Any]) -> list[str]:
    """Return the valid keys of the section that a validation error's location names."""
    for section in sections:
        fields = _get_fields(model)
        # A step's place has a number, which is no key.
        if isinstance(section, int) or section not in fields:
            continue
        annotation = fields[section].annotation
        options = _list_models(annotation)
        chosen = _choose_model(options, sections)
        if chosen is not None:
            model = chosen

    fields = _get_fields(model)
    # Old names are still read, and not recommended.
    return [name for name, field in fields.items() if not field.exclude]


def _get_fields(model: Any) -> Mapping[str, FieldInfo]:
    # What is no model, a plain value, has none.
    found: Mapping[str, FieldInfo] = getattr(model, "model_fields", {})
    return found


def _choose_model(options: Sequence[Any], sections: Sequence[Any]) -> Any:
    """Return the model that a location means, or None where it does not tell."""
    # Of a union the location names the member, by what its `step` says.
    members = {}
    for option in options:
        tag = _find_tag(option)
        members[tag] = option
    for name in sections:
        if name in members:
            return members[name]
    if len(options) == 1:
        return options[0]
    return None


def _find_tag(model: Any) -> Any:
    step = model.model_fields.get("step")
    if step is None:
        return None
    # `Literal["name"]`.
    names = get_args(step.annotation)
    return names[0]


def _list_models(annotation: Any) -> list[Any]:
    """Return the models that a field may hold, however deep in unions, lists and annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found = []
    parts = get_args(annotation)
    for part in parts:
        found += _list_models(part)
    return found
