"""How much a row costs once it is read, against what reading costs: by that, work is cut into units.

It is an estimate from the card alone, the same on every machine, or the same run would be cut
otherwise elsewhere. It counts bytes that a store gives in the time that a row takes.
"""

from collections.abc import Sequence

from model_zoo.package.card import ModelCard
from model_zoo.steps.image import Image
from model_zoo.steps.table import AnyStep
from pipelines.planning.batch_rows import bytes_per_row

# A core meets some 10^11 bytes of a model in a second, and a connection to a store gives 10^8.
_MODEL_BYTES_PER_BYTE = 1 << 10


def estimate_row_work(card: ModelCard, steps: Sequence[AnyStep]) -> int:
    """Return how many bytes a store gives in the time that a row takes.

    Args:
        card: of the model, whose numbers each row meets about once, or each of its tokens or nodes.
        steps: preprocessing.
    """
    model_bytes = sum(file.bytes for file in card.files.values())
    work = model_bytes * _count_positions(card) // _MODEL_BYTES_PER_BYTE
    # To decode a picture takes about as long as to fetch its numbers.
    if any(isinstance(step, Image) for step in steps):
        work += bytes_per_row(card)
    return work


def _count_positions(card: ModelCard) -> int:
    """Return how many tokens, or nodes of a graph, a row has at most; 1 where it has none."""
    named = card.mask
    if card.graph is not None:
        named = card.graph.nodes
    if named is None:
        return 1
    shape = card.inputs[named].shape
    return shape[0]
