"""Arrays as the JSON of servers, and back."""

from base64 import b64decode
from collections.abc import Mapping
import json
from typing import Any, TypeAlias

import numpy as np
import orjson

from model_zoo.remote.failures import RefusedError, WrongError

Json: TypeAlias = Mapping[str, Any]


def write_json(value: Any) -> bytes:
    """Return JSON; arrays in it are written as lists."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def read_json(content: bytes) -> Json:
    """Return the object that an answer is.

    Raises:
        WrongError: it is no JSON, or no object.
    """
    try:
        # Some servers write NaN and Infinity, which JSON does not have and Python reads.
        if b"NaN" in content or b"Infinity" in content:
            value = json.loads(content)
        else:
            value = orjson.loads(content)
    except (ValueError, RecursionError) as error:
        raise WrongError("the answer is no JSON") from error
    if not isinstance(value, dict):
        raise WrongError("the answer is JSON, and no object")
    return value


def list_values(array: np.ndarray, name: str) -> Any:
    """Return what `write_json` writes of an array, in its shape.

    Args:
        array: of any layout and order of bytes; of texts, objects.
        name: the input's, for messages.

    Raises:
        RefusedError: a row has a value that JSON does not have.
    """
    if array.dtype.kind in "OSU":
        texts = [_decode(text, name) for text in array.ravel()]
        in_shape = np.array(texts, object).reshape(array.shape)
        return in_shape.tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise RefusedError(
            f"input {name} has NaN or infinity, which JSON does not have; "
            "a protocol of gRPC carries them"
        )
    native = array.dtype.newbyteorder("=")
    return np.ascontiguousarray(array, native)


def read_values(values: Any, dtype: str, name: str) -> np.ndarray:
    """Return the array of a list, in the list's own shape.

    Args:
        values: as JSON has them, nested or flat.
        dtype: in our words.
        name: the output's, for messages.

    Raises:
        WrongError: it is no such list, or has values that the dtype cannot hold.
    """
    if not isinstance(values, list):
        raise WrongError(f"output {name} must be a list")
    try:
        if dtype == "bytes":
            return _read_texts(values)
        # numpy has no bfloat16.
        if dtype == "bfloat16":
            return _read_numbers(values, "float32")
        return _read_numbers(values, dtype)
    # Lists of several lengths, texts among numbers, and numbers beyond the dtype.
    except (ValueError, TypeError, OverflowError, FloatingPointError) as error:
        raise WrongError(f"output {name} must be a list of {dtype}") from error


def guess_dtype(values: Any) -> str:
    """Return the dtype of a list whose server tells none, by its first value.

    Floats are float32: that is what networks give, and each of its values stands in JSON with more
    digits than it has.
    """
    value = values
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64"
    if isinstance(value, str):
        return "bytes"
    return "float32"


def _read_numbers(values: list[Any], dtype: str) -> np.ndarray:
    found = np.array(values)
    wanted = np.dtype(dtype)
    # An empty list is of no kind; a kind of its own are texts, which numpy would read as numbers.
    if found.size and found.dtype.kind not in "biufO":
        raise ValueError(found.dtype)
    if found.dtype.kind == "b" and wanted.kind != "b":
        raise ValueError(found.dtype)
    if wanted.kind == "f":
        return _read_floats(values, found, wanted)
    if wanted.kind in "iu":
        return _read_integers(values, found, wanted)
    return _cast_exactly(found, wanted)


def _read_integers(
    values: list[Any],
    found: np.ndarray,
    wanted: np.dtype,
) -> np.ndarray:
    if found.dtype.kind == "f":
        # Fractions; or integers on both sides of 2**63, which numpy takes for floats.
        elements = np.array(values, object).ravel()
        kinds = {type(value) for value in elements}
        if kinds - {int}:
            raise ValueError(found.dtype)
    # From the list: numpy tells of integers that are too large for the dtype.
    return np.array(values, wanted)


def _read_floats(
    values: list[Any],
    found: np.ndarray,
    wanted: np.dtype,
) -> np.ndarray:
    if found.dtype.kind == "O":
        # Among numbers, null: how servers write NaN, which JSON does not have.
        others = [value for value in found.ravel() if value is not None]
        if not all(isinstance(value, int | float) for value in others):
            raise ValueError(found.dtype)
        found = np.array(values, np.float64)
    with np.errstate(over="raise"):
        return found.astype(wanted)


def _cast_exactly(found: np.ndarray, wanted: np.dtype) -> np.ndarray:
    """Return the same values in another dtype."""
    with np.errstate(invalid="raise"):
        array = found.astype(wanted)
    is_changed = array != found
    if is_changed.any():
        raise ValueError(found.dtype)
    return array


def _read_texts(values: list[Any]) -> np.ndarray:
    texts = np.array(values, object)
    flat = texts.ravel()
    encoded = np.empty(len(flat), object)
    for position, text in enumerate(flat):
        encoded[position] = _encode(text)
    return encoded.reshape(texts.shape)


def _encode(text: object) -> bytes:
    # How TensorFlow Serving writes what may be no text.
    if isinstance(text, dict) and text.keys() == {"b64"}:
        return b64decode(text["b64"], validate=True)
    if not isinstance(text, str):
        raise TypeError(text)
    return text.encode()


def _decode(text: str | bytes, name: str) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        message = f"input {name} has bytes that are no UTF-8, which JSON does not have"
        raise RefusedError(message) from error
