"""Compare what a server says of its model with what a package's card says."""

from collections.abc import Mapping

from configs.errors import ModelError
from model_zoo.package.card import ModelCard, Tensor
from model_zoo.remote.client import Description, TensorSpec
from model_zoo.remote.target import Target
from model_zoo.remote.texts import TEXT_DTYPE, TEXTS


def refuse_other_model(card: ModelCard, target: Target, described: Description) -> None:
    """Refuse a server whose model is not the card's.

    Args:
        card: of the package.
        target: the model and its version, as the run has it.
        described: what the server says now.

    Raises:
        ModelError: another version, or other names, types or sizes of inputs and outputs.
    """
    where = f"{target.url}: model {target.name}"
    # A server without versions tells none, and then nobody can know.
    if target.version is not None and described.model_version != target.version:
        raise ModelError(
            f"{where} answers as version {described.model_version!r}, and this run is of version "
            f"{target.version!r}; let the server have that version, or pack the model again"
        )
    # Some servers describe nothing; then the smoke batch alone tells.
    if described.inputs:
        _refuse_other_names(where, card, described)
        _refuse_other_tensors(where, "input", card.inputs, described.inputs)
    if described.outputs:
        _refuse_other_tensors(where, "output", card.outputs, described.outputs)


def has_shape(shape: tuple[int, ...], spec: TensorSpec) -> bool:
    """Tell whether a row has a size that the server describes; one number is a list of one, too.

    Args:
        shape: of a row.
        spec: of the server.

    >>> has_shape((3,), TensorSpec("float32", (None,)))
    True
    >>> has_shape((), TensorSpec("float32", (1,)))
    True
    """
    if not shape and len(spec.shape) == 1:
        return spec.shape[0] in (None, 1)
    return spec.fits(shape)


def _refuse_other_names(where: str, card: ModelCard, described: Description) -> None:
    ours = sorted(card.inputs)
    theirs = sorted(described.inputs)
    if ours != theirs:
        taken = ", ".join(theirs)
        given = ", ".join(ours)
        raise ModelError(
            f"{where} takes {taken}, and the package gives {given}; pack the model again"
        )


def _refuse_other_tensors(
    where: str,
    kind: str,
    ours: Mapping[str, Tensor],
    theirs: Mapping[str, TensorSpec],
) -> None:
    for name, tensor in ours.items():
        spec = theirs.get(name)
        if spec is None:
            others = ", ".join(theirs)
            raise ModelError(f"{where} has no {kind} {name}, but {others}; pack the model again")
        if not _is_same(tensor, spec):
            their_row = f"{spec.dtype} {_show(spec.shape)}"
            our_row = f"{tensor.dtype} {_show(tensor.shape)}"
            raise ModelError(
                f"{where}: its {kind} {name} is {their_row} a row, "
                f"and the package's is {our_row}; pack the model again"
            )


def _is_same(tensor: Tensor, spec: TensorSpec) -> bool:
    if spec.dtype == TEXTS:
        # A text is bytes side by side, on our side.
        is_text = tensor.dtype == TEXT_DTYPE and len(tensor.shape) == 1
        return is_text and has_shape((), spec)
    if tensor.dtype != spec.our_dtype:
        return False
    return has_shape(tensor.shape, spec)


def _show(shape: tuple[int | None, ...]) -> str:
    """Return sizes as a message shows them.

    >>> _show((None, 3)), _show(())
    ('(any, 3)', '()')
    """
    sizes = ["any" if size is None else str(size) for size in shape]
    joined = ", ".join(sizes)
    return f"({joined})"
