"""Which text a model's tokens are cut from, so that their places in it can be told."""

from collections.abc import Sequence

from model_zoo.package.card import InputColumn, ModelCard
from model_zoo.steps.fill import Fill
from model_zoo.steps.function import Function
from model_zoo.steps.table import AnyStep
from model_zoo.steps.tokenize import Tokenize, TokenText


def find_token_text(
    mask: str,
    contract: Sequence[InputColumn],
    steps: Sequence[AnyStep],
) -> TokenText | None:
    """Return the text that the model's tokens are cut from, as a row has it.

    Args:
        mask: what preprocessing makes that tells tokens from padding.
        contract: the model's columns.
        steps: all that run, in their order.

    Returns:
        None where tokens come as numbers, or a function of the user's makes texts of texts.
    """
    fills = {column.name: column.fill for column in contract if column.fill is not None}
    for step in steps:
        if isinstance(step, Function):
            # What it makes of the texts, nobody knows; places in another text would mislead.
            return None
        if isinstance(step, Fill) and step.values is not None:
            # After the contract's, which have left nothing missing.
            fills = dict(zip(step.columns, step.values, strict=True)) | fills
        if isinstance(step, Tokenize) and step.mask_into == mask:
            fill = fills.get(step.column)
            return TokenText(step, None if fill is None else str(fill))
    return None


def count_tokens(card: ModelCard) -> int | None:
    """Return how many tokens a row has room for; None where the model takes none."""
    if card.mask is None:
        return None
    return card.inputs[card.mask].shape[0]
