"""YAML file, `--set` overrides and flags to a validated value.

Every error is told at once, each with the nearest valid key.
"""

from collections.abc import Sequence
from typing import Any, TypeVar, get_args

import fsspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from configs.errors import JobError
from configs.job import holds_credentials
from configs.safe_yaml import MOST_BYTES, NotPlainYaml, parse_yaml
from configs.suggest import nearest

T = TypeVar("T", bound=BaseModel)
Override = tuple[str, str]


def load(model: type[T], path: str, overrides: Sequence[Override] = ()) -> T:
    """Read one YAML file as `model`.

    Args:
        model: the class that says which keys there are.
        path: the file, or an fsspec URL.
        overrides: (`a.b`, YAML text of the value), applied in order.

    Raises:
        JobError: everything that is wrong, in one message.
    """
    fields = _read_yaml(path)
    for key, text in overrides:
        _set(fields, key, _parse(text, f"--set {key}"))
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        problems = [_describe(problem, model) for problem in error.errors()]
        # Once each: a union of sections says the same of every member.
        message = "; ".join(dict.fromkeys(problems))
        # Not chained: pydantic's own text quotes what may be a secret.
        raise JobError(f"{path}: {message}") from None


def parse_set(text: str) -> Override:
    """Return `a.b=value` as (key, value text).

    Raises:
        JobError: there is no `=`, or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise JobError(
            f"--set {text}: must be key.sub=value, for example --set model.batch_rows=256"
        )
    return key, value


def _read_yaml(path: str) -> dict[str, Any]:
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
        reason = getattr(error, "strerror", None) or error
        raise JobError(
            f"{path}: cannot be read: {reason}; --config must name a YAML file"
        ) from error
    fields = _parse(text, path)
    if not isinstance(fields, dict):
        raise JobError(f"{path}: must be a mapping of keys to values, got {type(fields).__name__}")
    return fields


def _parse(text: str, place: str) -> Any:
    try:
        return parse_yaml(text)
    except NotPlainYaml as error:
        raise JobError(f"{place}: not valid YAML: {error}") from error


def _set(fields: dict[str, Any], key: str, value: Any) -> None:
    """Put a value under a dotted key, and make the sections on the way."""
    *sections, last = key.split(".")
    for section in sections:
        fields = fields.setdefault(section, {})
        if not isinstance(fields, dict):
            raise JobError(f"--set {key}: {section} is a value, not a section")
    fields[last] = value


def _describe(error: ErrorDetails, model: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *sections, name = error["loc"]
        keys = _list_keys(model, sections)
        return f"{place}: unknown key{nearest(str(name), keys)}"
    if error["type"] == "missing":
        return f"{place}: is required"
    message = error["msg"].removeprefix("Value error, ") + _describe_value(error)
    # A rule of the whole job has no place.
    return f"{place}: {message}" if place else message


def _describe_value(error: ErrorDetails) -> str:
    """Return what was written there, where that is short and may be shown."""
    value = error.get("input")
    # Raised by `configs.job` for a URL that holds a password.
    is_secret = error["type"] == "secret"
    if is_secret or not isinstance(value, str | int | float | bool):
        return ""
    return f", got {value!r}"


def _list_keys(model: Any, sections: Sequence[Any]) -> list[str]:
    """Return the valid keys of the section that a validation error's location names."""
    for section in sections:
        # A step's place has a number, which is no key.
        fields = getattr(model, "model_fields", {})
        if isinstance(section, int) or section not in fields:
            continue
        options = _list_models(fields[section].annotation)
        if not options:
            continue
        if len(options) == 1:
            model = options[0]
        # Of a union the location names the member, by what its `step` says.
        members = {_find_tag(option): option for option in options}
        named = [members[name] for name in sections if name in members]
        if named:
            model = named[0]
    fields = getattr(model, "model_fields", {})
    # Old names are still read, and not recommended.
    return [name for name, field in fields.items() if not field.exclude]


def _find_tag(model: Any) -> Any:
    step = model.model_fields.get("step")
    return get_args(step.annotation)[0] if step is not None else None


def _list_models(annotation: Any) -> list[Any]:
    """Return the models that a field may hold, however deep in unions, lists and annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found = []
    for part in get_args(annotation):
        found += _list_models(part)
    return found
