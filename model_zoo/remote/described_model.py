"""Makes a description of what a server tells of itself and of a model, over whatever protocol."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from configs.suggest import nearest
from model_zoo.remote.client import Description, TensorSpec
from model_zoo.remote.failures import WrongError

# A size that is free.
_FREE = -1


class Tensor(NamedTuple):
    """An input or output, as the server describes it.

    Attributes:
        dtype: in our words.
        shape: with the rows first; -1 for a size that is free.
    """

    name: str
    dtype: str
    shape: Sequence[int]


class Metadata(NamedTuple):
    """What a server has answered.

    Attributes:
        server: name and version of the server's software.
        versions: of the model, as far as the server tells.
        max_batch_size: as Triton's configuration has it; None where none is told.
    """

    server: str
    versions: Sequence[str]
    inputs: Iterable[Tensor]
    outputs: Iterable[Tensor]
    max_batch_size: int | None = None


def describe_model(metadata: Metadata, wanted_version: str | None) -> Description:
    """Return a server's answers as a description.

    Args:
        metadata: of the server and the model.
        wanted_version: as the job names it.

    Raises:
        WrongError: the model has another version or several to choose from, or a tensor has no rows.
    """
    version = choose_version(metadata.versions, wanted_version)
    inputs = list(metadata.inputs)
    outputs = list(metadata.outputs)
    exact_rows = _find_exact_rows(inputs)
    return Description(
        server=metadata.server,
        model_version=version,
        inputs=_describe_tensors("input", inputs),
        outputs=_describe_tensors("output", outputs),
        most_rows=exact_rows or metadata.max_batch_size or None,
        takes_fewer_rows=exact_rows is None,
    )


def choose_version(versions: Sequence[str], wanted: str | None) -> str:
    """Return the version that is asked for in every request; nothing where the server has none.

    Args:
        versions: those that the server tells of.
        wanted: as the job names it.

    Raises:
        WrongError: it is not there, or the job names none of several.

    >>> choose_version(["3"], None)
    '3'
    """
    # Some servers tell of one version without a name.
    named = [version for version in versions if version]
    if wanted is None and len(named) > 1:
        raise WrongError(f"the model has versions {', '.join(named)}: name one in model.version")
    if wanted is None:
        return named[0] if named else ""
    if named and wanted not in named:
        raise WrongError(f"the model has no version {wanted}{nearest(wanted, named)}")
    return wanted


def _describe_tensors(
    kind: str,
    tensors: Iterable[Tensor],
) -> Mapping[str, TensorSpec]:
    described = {}
    for tensor in tensors:
        if not tensor.shape:
            raise WrongError(f"{kind} {tensor.name} has no dimension of rows")
        row = tensor.shape[1:]
        shape = tuple(None if size == _FREE else size for size in row)
        described[tensor.name] = TensorSpec(tensor.dtype, shape)
    return described


def _find_exact_rows(inputs: Iterable[Tensor]) -> int | None:
    """Return how many rows each request must have, where a model takes no other number of them."""
    for tensor in inputs:
        if tensor.shape and tensor.shape[0] != _FREE:
            return tensor.shape[0]
    return None
