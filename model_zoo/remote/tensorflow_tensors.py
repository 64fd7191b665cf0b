"""Arrays as the tensors of TensorFlow's messages, and back."""

from typing import Any

import numpy as np

from model_zoo.remote.failures import WrongError
from model_zoo.remote.tensorflow_messages import BY_DTYPE, MESSAGES, read_data_type
from model_zoo.remote.tensors import (
    count_elements,
    decode_array,
    encode_array,
    reshape,
    widen_bfloat16,
)

# Come as the bits that they are, in integers.
_HALVES = ("float16", "bfloat16")


def write_tensor(array: np.ndarray, dtype: str) -> Any:
    """Return the message that an array is.

    Args:
        array: of any layout and order of bytes.
        dtype: as the server takes it: the array's own, or `bfloat16` for one of float32.
    """
    dims = [MESSAGES["Dim"](size=size) for size in array.shape]
    shape = MESSAGES["TensorShapeProto"](dim=dims)
    number = BY_DTYPE[dtype].number
    tensor = MESSAGES["TensorProto"](dtype=number, tensor_shape=shape)
    if dtype == "bytes":
        for text in array.ravel():
            encoded = text.encode() if isinstance(text, str) else text
            tensor.string_val.append(encoded)
    else:
        tensor.tensor_content = encode_array(array, dtype)
    return tensor


def read_tensor(tensor: Any, name: str) -> np.ndarray:
    """Return the array that a message is.

    Args:
        tensor: a `TensorProto`.
        name: the output's, for messages.

    Raises:
        WrongError: it is no whole tensor.
    """
    dtype, _, field, content_dtype = read_data_type(tensor.dtype, f"output {name}")
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return decode_array(tensor.tensor_content, dtype, shape, name)
    values = getattr(tensor, field)
    # TensorFlow would repeat the last value in the place of those that are missing. Its server writes
    # all, and a row whose score was lost must not be given its neighbour's.
    if len(values) != count_elements(shape, name):
        raise WrongError(
            f"output {name} has {len(values):,} elements, and not those of shape {tuple(shape)}"
        )
    if dtype == "bytes":
        texts = np.empty(len(values), object)
        texts[:] = values
        return reshape(texts, shape, name)
    wide = np.array(values, content_dtype)
    narrow = _narrow(wide, dtype, name)
    return reshape(narrow, shape, name)


def _narrow(wide: np.ndarray, dtype: str, name: str) -> np.ndarray:
    """Return values in their dtype: a message has fields of 32 and 64 bits alone."""
    stored = "uint16" if dtype in _HALVES else dtype
    array = wide.astype(stored)
    # What does not fit must not wrap around.
    if array.dtype != wide.dtype and (array != wide).any():
        raise WrongError(f"output {name} has values that {dtype} cannot hold")
    if dtype == "float16":
        return array.view(np.float16)
    if dtype == "bfloat16":
        return widen_bfloat16(array)
    return array
