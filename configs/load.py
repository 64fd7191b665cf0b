"""YAML file, `--set` overrides and flags to a validated value: every error at once, each with the nearest valid key."""

from collections.abc import Sequence
import difflib
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import fsspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from configs.errors import JobError
from configs.job import holds_credentials
from configs.plain_yaml import MOST_BYTES, NotPlainYaml, parse_yaml

T = TypeVar("T", bound=BaseModel)
Override = tuple[str, str]


def load(model: type[T], path: str, overrides: Sequence[Override] = ()) -> T:
    """Read one YAML file as `model`.

    Args:
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
        problems = [_describe(e, model) for e in error.errors()]
        raise JobError(f"{path}: " + "; ".join(dict.fromkeys(problems))) from None  # its own text quotes what may be a secret


def parse_set(text: str) -> Override:
    """`a.b=value` as (key, value text).

    Raises:
        JobError: there is no `=`, or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise JobError(f"--set {text}: must be key.sub=value, for example --set model.batch_rows=256")
    return key, value


def nearest(name: str, known: Sequence[str]) -> str:
    """`; did you mean x?` for the most similar known name, else the known names, if they are few."""
    alike = [k for k in known if k.strip().casefold() == name.strip().casefold()]
    if close := alike or difflib.get_close_matches(name, known, n=1, cutoff=0.6):
        return f"; did you mean {close[0]}?"
    return f"; there are {', '.join(sorted(known))}" if known and len(known) <= 20 else ""


def _read_yaml(path: str) -> dict[str, Any]:
    if holds_credentials(path):
        raise JobError("--config: its URL must hold no credentials; put them where the store's own library looks for them")
    try:
        with fsspec.open(path) as file:
            text = file.read(MOST_BYTES + 1).decode()  # a byte too many is enough to refuse it
    except (OSError, ValueError, ImportError) as error:
        raise JobError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}; --config must name a YAML file"
        ) from error
    fields = _parse(text, path)
    if not isinstance(fields, dict):
        raise JobError(f"{path}: must be a mapping of keys to values, got {type(fields).__name__}")
    return fields


def _parse(text: str, where: str) -> Any:
    try:
        return parse_yaml(text)
    except NotPlainYaml as error:
        raise JobError(f"{where}: not valid YAML: {error}") from error


def _set(fields: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        fields = fields.setdefault(section, {})
        if not isinstance(fields, dict):
            raise JobError(f"--set {key}: {section} is a value, not a section")
    fields[last] = value


def _describe(error: ErrorDetails, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *sections, name = error["loc"]
        return f"{where}: unknown key{nearest(str(name), _keys_at(model, sections))}"
    if error["type"] == "missing":
        return f"{where}: is required"
    message = error["msg"].removeprefix("Value error, ")
    shown = error.get("input")
    got = f", got {shown!r}" if isinstance(shown, str | int | float | bool) and error["type"] != "secret" else ""
    return f"{where}: {message}{got}" if where else message


def _keys_at(model: Any, sections: Sequence[Any]) -> list[str]:
    """Valid keys of the section that a validation error's location names."""
    for section in sections:
        options = _models_in(model.model_fields[section].annotation) if section in getattr(model, "model_fields", {}) else []
        if isinstance(section, int) or not options:
            continue
        model = options[0] if len(options) == 1 else model
        choices = {_tag(option): option for option in options}
        model = next((choices[s] for s in sections if s in choices), model)
    return list(getattr(model, "model_fields", {}))


def _tag(model: Any) -> Any:
    step = model.model_fields.get("step")
    return get_args(step.annotation)[0] if step is not None else None


def _models_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType) or get_args(annotation):
        return [m for a in get_args(annotation) for m in _models_in(a)]
    return []
