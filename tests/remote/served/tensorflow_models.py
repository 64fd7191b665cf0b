"""The models of the stand-in for TensorFlow Serving, their signatures, and the errors that a server tells by its own words."""

from collections.abc import Callable
from dataclasses import dataclass

from network import Network, RefusedValue
import numpy as np

# By TensorFlow's name: numpy's, and the field of TensorProto that holds its values.
DTYPES = {
    "DT_FLOAT": (np.float32, "float_val"),
    "DT_DOUBLE": (np.float64, "double_val"),
    "DT_INT8": (np.int8, "int_val"),
    "DT_INT16": (np.int16, "int_val"),
    "DT_INT32": (np.int32, "int_val"),
    "DT_INT64": (np.int64, "int64_val"),
    "DT_UINT8": (np.uint8, "int_val"),
    "DT_UINT16": (np.uint16, "int_val"),
    "DT_UINT32": (np.uint32, "uint32_val"),
    "DT_UINT64": (np.uint64, "uint64_val"),
    "DT_BOOL": (np.bool_, "bool_val"),
    "DT_STRING": (np.object_, "string_val"),
}


class Refused(Exception):
    """An answer that is an error: the words, and the name of gRPC's status."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Model:
    """One version of a model: its inputs and outputs by name, (dtype, shape), and what computes it."""

    version: int
    inputs: dict[str, tuple[str, list[int]]]
    outputs: dict[str, tuple[str, list[int]]]
    compute: Callable

    def predict(self, arrays):
        """Check the inputs against the signature, as the server does, and return the outputs."""
        if arrays.keys() != self.inputs.keys():
            raise Refused("INVALID_ARGUMENT", "input keys do not match the signature")
        for name, (dtype, shape) in self.inputs.items():
            given = arrays[name]
            if given.dtype != DTYPES[dtype][0]:
                raise Refused("INVALID_ARGUMENT", f"{name} is expected to be {dtype}")
            if len(given.shape) != len(shape) or list(given.shape[1:]) != shape[1:]:
                raise Refused("INVALID_ARGUMENT", f"{name} is expected to have shape {shape}")
        try:
            return self.compute(arrays)
        except RefusedValue as error:
            raise Refused("INVALID_ARGUMENT", str(error)) from error
        except OverflowError as error:
            raise Refused("INTERNAL", str(error)) from error


def load_models(weights, columns):
    """Return models by name, each a list of versions: two of `churn`, and `echo` with an input of each dtype."""
    network = Network(weights)
    inputs = {"features": ("DT_FLOAT", [-1, columns])}
    outputs = {"probability": ("DT_FLOAT", [-1, 1])}
    every = {dtype.removeprefix("DT_").lower(): (dtype, [-1, 2]) for dtype in DTYPES}

    def score(arrays):
        return {"probability": network.score(arrays["features"])}

    churn = [Model(version, inputs, outputs, score) for version in (3, 4)]
    return {"churn": churn, "echo": [Model(1, every, every, lambda arrays: arrays)]}


def find_model(models, name, version):
    """Return a model by its name, and its version or None for the newest."""
    found = [one for one in models.get(name, []) if version in (None, one.version)]
    if not found:
        which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise Refused("NOT_FOUND", f"Servable not found for request: {which}")
    return max(found, key=lambda one: one.version)
