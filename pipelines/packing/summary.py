"""What packing says when it ends: the model, what it takes and gives, and how it was proven."""

from collections.abc import Sequence

from model_zoo.package.card import ModelCard
from model_zoo.steps.graph import Graph
from model_zoo.steps.pad import Pad
from model_zoo.steps.table import AnyStep
from pipelines.cli.command_line import say
from pipelines.packing.material import Material
from pipelines.packing.writing.packed import Packed

_DIGEST_CHARACTERS = 12


def say_packed(material: Material, packed: Packed) -> None:
    """Say what was found, and what it came to.

    Args:
        material: what the package was made of.
        packed: the package.
    """
    for note in material.notes:
        say(f"sample     {note}")
    for note in material.settings:
        say(f"settings   {note}")
    _say_result(material.job.output, packed)
    say(f"score      {packed.written.command}")


def _say_result(output: str, packed: Packed) -> None:
    card = packed.card
    say(f"model      {card.name}, version {card.version}, {_describe_forms(card)}")
    for note in packed.notes:
        kind = "weights" if card.has_network else "model"
        say(f"{kind:10} {note}")
    _say_contract(card, packed.steps)
    left_out = ""
    if packed.left_out:
        left_out = (
            f"; {packed.left_out:,} rows of the sample have missing values, or lists that are too "
            "long, and would be rejected"
        )
    say(
        f"proven     {packed.rows:,} rows scored as a job does, "
        f"at most {packed.difference:.1g} from {packed.compared_with}{left_out}"
    )
    for note in packed.forms:
        say(f"forms      {note}")
    for note in packed.warnings:
        say(f"note       {note}")
    for note in packed.expected:
        say(f"expected   {note}")
    say(f"package    {output}  (digest {packed.written.digest[:_DIGEST_CHARACTERS]})")


def _say_contract(card: ModelCard, steps: Sequence[AnyStep]) -> None:
    """Say what the model takes, and what it gives."""
    _say_columns(card)
    _say_lists(steps)
    _say_tensors(card)
    labels = f", labels {list(card.labels)}" if card.labels else ""
    say(f"activation {card.activation}{labels}")
    if card.task is not None:
        say(f"task       {card.task}")


def _say_columns(card: ModelCard) -> None:
    for column in card.columns:
        taken = column.type
        if column.number is not None:
            taken = f"{taken} as {column.number}"
        missing: str = column.missing
        if column.fill is not None:
            missing = f"{missing} with {column.fill}"
        say(f"column     {column.name}: {taken}, missing: {missing}")


def _say_lists(steps: Sequence[AnyStep]) -> None:
    """Say how much room there is where rows may have any number of items."""
    for step in steps:
        if isinstance(step, Pad):
            say(f"lists      {_describe_lists(step)}")
        if isinstance(step, Graph):
            most_nodes = step.nodes_shape[0]
            say(f"graphs     of at most {most_nodes:,} nodes and {step.most_edges:,} edges")


def _say_tensors(card: ModelCard) -> None:
    for kind, tensors in (("input", card.inputs), ("output", card.outputs)):
        for name, tensor in tensors.items():
            sizes = map(str, tensor.shape)
            shape = ", ".join(["rows", *sizes])
            say(f"{kind:10} {name}: {tensor.dtype} ({shape})")


def _describe_forms(card: ModelCard) -> str:
    if card.has_network:
        return f"network {card.builder}"
    if card.remote is not None:
        return "computed by a server"
    kept_as = [] if card.onnx is None else ["an ONNX graph"]
    kept_as.extend(f"a file of {form}" for form in card.forms)
    return f"kept as {' and '.join(kept_as)}"


def _describe_lists(step: Pad) -> str:
    shape = ", ".join(map(str, step.shape))
    if step.shorter == "reject":
        return f"{step.column}: all of {step.shape[0]} items ({shape})"
    mask = "no mask is taken" if step.mask_into is None else f"mask {step.mask_into}"
    longer = "cut" if step.longer == "cut" else "rejected"
    return f"{step.column}: padded with zeros to ({shape}), longer ones are {longer}, {mask}"
