"""Types of fields that jobs of several kinds have, and what their values may not be."""

import re
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

# `user@`, or `key:secret@` with a secret that may hold slashes but is no port; or a query that
# signs.
_SECRET = re.compile(r"://(?:[^/]*@|[^/:@]*:(?!\d{1,5}/)[^@]*@|.*\?[^/?]*=)")
Names: TypeAlias = tuple[str, ...]
# A section of YAML or JSON, or a file of them.
Fields: TypeAlias = dict[str, Any]
# As a field holds them: which steps there are, only `pipelines` knows.
Steps: TypeAlias = tuple[Any, ...]


def holds_credentials(url: str) -> bool:
    """Tell whether a URL names a user, or is signed."""
    return _SECRET.search(url) is not None


def _without_credentials(url: str) -> str:
    """Refuse `scheme://user:password@...` and `...?sig=...`."""
    # A job is copied into manifests, logs and messages.
    if holds_credentials(url):
        # An error of a type of its own, so that whoever shows it knows not to show the value.
        raise PydanticCustomError(
            "secret",
            "must hold no credentials; put them where the store's own library looks for them",
        )
    return url


def without_credentials_in_roots(steps: Steps) -> Steps:
    """Refuse them in the roots of steps that read files."""
    for step in steps:
        # Other steps have none.
        root = getattr(step, "root", "")
        _without_credentials(root)
    return steps


# Which steps there are is known where they are made: `pipelines` fills it in.
StepT = TypeVar("StepT")
# What a 64-bit integer holds, in files and in C.
MOST = 2**63 - 1
Count: TypeAlias = Annotated[int, Field(ge=1, le=MOST)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Character: TypeAlias = Annotated[str, Field(min_length=1, max_length=1)]
Url: TypeAlias = Annotated[Text, AfterValidator(_without_credentials)]
# A job's becomes part of file names, log lines and labels of metrics.
Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


def _version_as_text(value: object) -> object:
    """Return a whole number as the text that it was written as.

    Raises:
        ValueError: it is a number with a point, of which YAML has lost the last zeros: 1.10 is 1.1.
    """
    if isinstance(value, float):
        raise ValueError("must stand in quotes, as YAML reads 1.10 and 1.1 as the same number")
    # `yes` is no version, and a bool is an int to Python.
    if type(value) is int:
        return str(value)
    return value


# Endings of pictures that an `image` step may take.
_PICTURES = """
    .avif .bmp .gif .icns .ico .j2k .jp2 .jpeg .jpg .pbm .pcx .pgm .png .pnm .ppm .qoi .sgi .tga
    .tif .tiff .webp
"""
PICTURES = tuple(_PICTURES.split())
# Of a model: `version: 1` is one.
Version: TypeAlias = Annotated[Text, BeforeValidator(_version_as_text)]


def as_names(value: object) -> object:
    """Return one name as a tuple of it; anything else as it is, for pydantic to judge."""
    if isinstance(value, str):
        return (value,)
    return value


_ONE_IS_ENOUGH = BeforeValidator(as_names)
# None, one or several.
AnyNames: TypeAlias = Annotated[Names, _ONE_IS_ENOUGH]
Paths: TypeAlias = Annotated[tuple[Url, ...], _ONE_IS_ENOUGH]
SomeNames: TypeAlias = Annotated[Names, Field(min_length=1)]
OneOrMore: TypeAlias = Annotated[Names, Field(min_length=1), _ONE_IS_ENOUGH]
Length: TypeAlias = Annotated[int, Field(ge=1)]
Scalar: TypeAlias = bool | int | float | str
TimeUnit: TypeAlias = Literal["days", "hours", "minutes", "seconds", "milliseconds", "microseconds"]
DType: TypeAlias = Literal[
    "float16", "float32", "float64", "int32", "int64", "bool",
    "int8", "int16", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip
# One as it is, or several that are stacked.
Columns: TypeAlias = str | SomeNames
Activation: TypeAlias = Literal["sigmoid", "softmax", "none"]
