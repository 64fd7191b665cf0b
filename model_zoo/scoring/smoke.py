"""Check on the smoke batch that a loaded model scores a few rows as it did when it was packed."""

from collections.abc import Callable, Mapping

import numpy as np

from configs.errors import ModelError
from configs.redaction import shown
from model_zoo.arrays import Arrays
from model_zoo.engines.settings import Settings
from model_zoo.package.card import Tensor
from model_zoo.package.packed_model import PackedModel
from model_zoo.scoring.scored import Scored
from model_zoo.tensor_columns import from_column

# How far outputs may be off, relative to the largest of them, with settings other than the
# reference. Another layout or compiled code adds in another order, 16 bits keep about 1 % through a
# few layers, 8 bits less; what the rows of a job may be off by is measured by pipelines.tune.
_TOLERANCES = {
    "float32": 1e-3,
    "bfloat16": 5e-2,
    "float16": 5e-2,
    "int8": 0.5,
}


def check_smoke(
    score: Callable[[Arrays], Scored],
    package: PackedModel,
    settings: Settings,
) -> None:
    """Score the package's smoke inputs and compare with its smoke outputs.

    Args:
        score: the model, loaded with `settings`.
        package: the smoke batch, and how far its outputs may be off with the reference settings.
        settings: decide which tolerance holds.

    Raises:
        ModelError: an output differs by more than the tolerance (the message says by how much), or
            the model fails on a row.
    """
    # A server's model without a package: nothing says what it has to give.
    if package.smoke.num_rows == 0:
        return
    inputs, expected = smoke_arrays(package)
    scored = _score_smoke(score, package, inputs)
    for name, values in expected.items():
        tolerance = package.card.smoke_tolerance
        if not settings.is_reference:
            # Outputs below 1 are compared as they are: next to 0, any difference is relatively large.
            largest = max(1.0, _find_largest(values))
            tolerance = _TOLERANCES[settings.dtype] * largest
        actual = scored.outputs[name].astype(np.float64)
        difference = _find_largest(actual - values)
        # Not `difference > tolerance`: NaN is no score either, and is not larger than anything.
        if not difference <= tolerance:
            raise ModelError(
                f"{package.url}: smoke output {name} differs by {difference:.3g}, "
                f"more than {tolerance:.3g}, on {scored.computed_by}; "
                "the weights or the libraries are not those of the package "
                f"(trained with {package.card.libraries})"
            )


def smoke_arrays(package: PackedModel) -> tuple[Arrays, Arrays]:
    """Return network inputs and expected outputs of the smoke batch, arrays (rows, *shape).

    Raises:
        ModelError: a column of them is missing, or does not have the card's shape.
    """
    card = package.card
    try:
        inputs = _read_arrays(package, "input", card.inputs)
        outputs = _read_arrays(package, "output", card.outputs)
    except (KeyError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{package.url}: the smoke batch does not fit the card: {shown(error)}; "
            "write the package again"
        ) from error
    return inputs, outputs


def _score_smoke(
    score: Callable[[Arrays], Scored],
    package: PackedModel,
    inputs: Arrays,
) -> Scored:
    try:
        scored = score(inputs)
    except ModelError as error:
        raise ModelError(
            f"{package.url}: the model fails on its own smoke batch: {error}"
        ) from error
    for reason in scored.rejected.values():
        raise ModelError(
            f"{package.url}: the model fails on its own smoke batch: {shown(reason)}"
        ) from reason
    return scored


def _read_arrays(
    package: PackedModel,
    prefix: str,
    tensors: Mapping[str, Tensor],
) -> Arrays:
    """Return the columns `<prefix>.<name>` as arrays."""
    arrays: Arrays = {}
    for name, tensor in tensors.items():
        chunked = package.smoke.column(f"{prefix}.{name}")
        column = chunked.combine_chunks()
        values = from_column(column, tensor.shape)
        arrays[name] = values.astype(tensor.dtype)
    return arrays


def _find_largest(values: np.ndarray) -> float:
    """Return the largest absolute value."""
    sizes = np.abs(values)
    return float(sizes.max())
