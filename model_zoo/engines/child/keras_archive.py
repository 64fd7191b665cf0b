"""A `.keras` file, looked through before Keras reads it: nothing but layers of Keras' own and their numbers.

It is a zip archive of a description in JSON and of weights in HDF5. Either could do more than describe a
network: name functions to call and files to read, be a few bytes that unpack to many, or keep its numbers in
other files of the machine.
"""

from collections.abc import Iterator
import io
import json
from typing import Any
import zipfile

_CONFIG = "config.json"
_WEIGHTS = "model.weights.h5"
_KNOWN_FILES = frozenset({"metadata.json", _CONFIG, _WEIGHTS})
# Weights may be packed, and their description is text.
_UNPACKED_OF_ONE = 20
_UNPACKED_AT_LEAST = 1 << 20
# Deeper than models are nested in models.
_DEEPEST = 64
# Where Keras keeps what a description may name.
_MODULES = frozenset(
    {
        "keras.layers",
        "keras.initializers",
        "keras.regularizers",
        "keras.constraints",
        "keras.activations",
        "keras.dtype_policies",
        "keras.src.models.functional",
        "keras.src.models.sequential",
    }
)
_OPERATIONS = "keras.src.ops."
_OF_KERAS_ITSELF = frozenset(
    {
        "DTypePolicy",
        "FloatDTypePolicy",
        "Functional",
        "Model",
        "Sequential",
    }
)
# Layers that run code or read files that the description names, or that need TensorFlow.
_REFUSED = frozenset(
    {
        "FlaxLayer",
        "HashedCrossing",
        "Hashing",
        "IntegerLookup",
        "JaxLayer",
        "Lambda",
        "StringLookup",
        "TFSMLayer",
        "TextVectorization",
        "TorchModuleWrapper",
    }
)
# What stands for numbers and places in a description.
_PLAIN_VALUES = frozenset({"__keras_tensor__", "__numpy__", "__tensor__"})
_KINDS_OF_NUMBERS = "fiub"


def check_archive(content: bytes) -> None:
    """Refuse a file that is more than a network of Keras' own layers.

    Raises:
        ValueError: it is; the message says by what.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise ValueError("it is no .keras file of Keras 3") from error
    with archive:
        most = _count_most(content)
        _check_files(archive, most)
        config = json.loads(archive.read(_CONFIG))
        weights = archive.read(_WEIGHTS)
    # How it was trained is not read.
    config.pop("compile_config", None)
    for part in _list_parts(config, 0):
        _check_part(part)
    _check_weights(weights, _count_most(weights))


def _count_most(packed: bytes) -> int:
    """Return how many bytes may come of so many."""
    return _UNPACKED_AT_LEAST + _UNPACKED_OF_ONE * len(packed)


def _check_files(archive: zipfile.ZipFile, most: int) -> None:
    found = archive.infolist()
    names = [entry.filename for entry in found]
    for name in names:
        if name not in _KNOWN_FILES:
            raise ValueError(f"it holds {name!r}, and a network without assets has none such")
    different = set(names)
    is_repeated = len(different) != len(names)
    if is_repeated or not different.issuperset((_CONFIG, _WEIGHTS)):
        raise ValueError(f"it must hold {_CONFIG} and {_WEIGHTS}, once each")
    unpacked = sum(entry.file_size for entry in found)
    if unpacked > most:
        raise ValueError(f"it unpacks to {unpacked:,} bytes, more than the {most:,} that it may")


def _list_parts(
    value: Any,
    depth: int,
) -> Iterator[dict[str, Any]]:
    """Yield every mapping in a description."""
    if depth > _DEEPEST:
        raise ValueError(f"its layers are nested deeper than {_DEEPEST}")
    if isinstance(value, dict):
        yield value
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    else:
        return
    for part in inner:
        yield from _list_parts(part, depth + 1)


def _check_part(part: dict[str, Any]) -> None:
    """Refuse a mapping that names something which is not Keras' own."""
    if "class_name" not in part:
        return
    name = str(part["class_name"])
    module = part.get("module")
    if name in _PLAIN_VALUES and module in (None, "builtins"):
        return
    is_of_keras = module == "keras" and name in _OF_KERAS_ITSELF
    is_known = module in _MODULES or str(module).startswith(_OPERATIONS)
    # A function is named by its text, and a class that somebody registered by more than its own name.
    is_own = name != "function" and part.get("registered_name") in (None, name)
    if name in _REFUSED or not (is_own and (is_of_keras or is_known)):
        raise ValueError(
            f"it names {name!r} of {module!r}, which is not one of Keras' own layers that compute "
            "without code, files or TensorFlow; take it out of the model, or pack it as ONNX"
        )


def _check_weights(content: bytes, most: int) -> None:
    """Refuse numbers that the file does not hold itself, and more of them than it delivers."""
    import h5py

    left = most
    with h5py.File(io.BytesIO(content), "r") as weights:
        groups = [weights]
        while groups:
            group = groups.pop()
            for name in group:
                # A link of another kind leads to other files, or in circles.
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError("its weights lead to other files")
                found = group[name]
                if isinstance(found, h5py.Group):
                    groups.append(found)
                    left -= 1
                else:
                    left -= _count_bytes(found)
                if left < 0:
                    raise ValueError("its weights describe more numbers than it holds")


def _count_bytes(numbers: Any) -> int:
    """Return the size of a dataset."""
    if numbers.is_virtual or numbers.external:
        raise ValueError("its weights are in other files")
    if numbers.dtype.kind not in _KINDS_OF_NUMBERS:
        raise ValueError(f"its weights are of {numbers.dtype}, and not numbers")
    return int(numbers.size) * int(numbers.dtype.itemsize)
