"""Checks what goes to a server and what comes back against what the server has described."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from configs.suggest import nearest
from model_zoo.arrays import Arrays
from model_zoo.remote.client import Description, TensorSpec
from model_zoo.remote.failures import WrongError
from model_zoo.remote.tensors import find_dtype


class Envelope(NamedTuple):
    """What an answer says of itself; empty where it says nothing."""

    model: str
    version: str
    request_id: str


def list_dtypes(inputs: Arrays, description: Description) -> dict[str, str]:
    """Return in which dtype each input is sent.

    Args:
        inputs: one array (rows, ...) per input.
        description: what the server has told of its model.

    Raises:
        WrongError: the server takes other inputs than these.
    """
    dtypes = {name: find_dtype(array) for name, array in inputs.items()}
    # Some servers tell nothing, and say so in their own words when it does not fit.
    if not description.inputs:
        return dtypes
    check_names("input", inputs, description.inputs)
    for name, spec in description.inputs.items():
        _check_array("input", name, inputs, spec)
        dtypes[name] = spec.dtype
    return dtypes


def check_envelope(
    model: str,
    description: Description,
    request_id: str,
    answer: Envelope,
    wanted_version: str | None = None,
) -> None:
    """Check that an answer is of this request, this model and this version.

    A server may leave out any of the three, and then nothing is known of it; but where a version
    was asked for by name, an answer without one is of any.

    Args:
        model: the name of the model that was asked.
        description: whose version must have answered.
        request_id: that was sent.
        answer: as the server gave it.
        wanted_version: as the job names it.

    Raises:
        WrongError: one of them is another.
    """
    if answer.request_id and answer.request_id != request_id:
        raise WrongError(f"request {request_id} got the answer of another request")
    if answer.model and answer.model != model:
        raise WrongError(f"model {answer.model!r} answered for {model}")
    if wanted_version and not answer.version:
        raise WrongError(
            f"version {wanted_version} of {model} was asked for, and the server does not tell which "
            "one answered; name none where a server has no versions"
        )
    expected = description.model_version
    if answer.version and expected and answer.version != expected:
        raise WrongError(
            f"version {answer.version!r} of {model} answered, "
            f"and the run began with {expected}; run the job again to score with one version"
        )


def collect_outputs(outputs: Iterable[tuple[str, np.ndarray]]) -> Arrays:
    """Return outputs by name.

    Raises:
        WrongError: two have the same name.
    """
    collected: Arrays = {}
    for name, array in outputs:
        if name in collected:
            raise WrongError(f"the answer has two outputs {name}")
        collected[name] = array
    return collected


def check_outputs(outputs: Arrays, rows: int, description: Description) -> None:
    """Check a whole answer.

    Args:
        outputs: by name, as they were read.
        rows: how many were sent.
        description: what the server told of its model before.

    Raises:
        WrongError: names, dtypes or shapes are others, or there are more or fewer rows.
    """
    if not outputs:
        raise WrongError("the answer has no output")
    for name, array in outputs.items():
        if len(array) != rows:
            raise WrongError(
                f"output {name} has {len(array):,} rows for the {rows:,} that were sent"
            )
    if not description.outputs:
        return
    check_names("output", outputs, description.outputs)
    for name, spec in description.outputs.items():
        _check_array("output", name, outputs, spec)


def check_names(
    kind: str,
    names: Collection[str],
    specs: Mapping[str, TensorSpec],
) -> None:
    """Check that names are those that the server has described, in whatever order.

    Args:
        kind: `input` or `output`, for messages.
        names: that are there.
        specs: by name, as they were described.

    Raises:
        WrongError: one is missing, or there is another.
    """
    for name in specs:
        if name not in names:
            raise WrongError(f"{kind} {name} is missing{nearest(name, sorted(names))}")
    for name in names:
        if name not in specs:
            hint = nearest(name, sorted(specs))
            raise WrongError(f"{kind} {name!r} is none that the server has described{hint}")


def _check_array(kind: str, name: str, arrays: Arrays, spec: TensorSpec) -> None:
    """Check the dtype and the shape (rows, ...) of an array."""
    array = arrays[name]
    dtype = find_dtype(array)
    if dtype != spec.our_dtype:
        raise WrongError(f"{kind} {name} must be {spec.dtype}, got {dtype}")
    shape = array.shape[1:]
    if not spec.fits(shape):
        sizes = ["?" if size is None else str(size) for size in spec.shape]
        described = ", ".join(sizes)
        raise WrongError(f"{kind} {name} must have rows of shape ({described}), got {shape}")
