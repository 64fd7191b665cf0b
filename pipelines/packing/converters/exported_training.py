"""An exported program -> a refusal, where it was exported from a network in training.

A score must depend on its row alone. Dropout would draw numbers for it, batch normalisation would look
at the rows beside it, and a buffer that changes with every call would make it depend on those before.
"""

from collections.abc import Iterator
from typing import Any

from configs.errors import JobError


def refuse_training(exported: Any, what: str) -> None:
    """Refuse a program that draws numbers at random, or changes itself, as networks in training do.

    Args:
        exported: the program, `torch.export.ExportedProgram`.
        what: the flag and the file, for messages.

    Raises:
        JobError: it does one or the other.
    """
    trains = {str(node.target) for node in exported.graph.nodes if _is_training(node)}
    if trains:
        operators = ", ".join(sorted(trains))
        raise JobError(
            f"{what}: was exported from a network in training ({operators}); call "
            "net.eval() before torch.export.export"
        )

    signature = exported.graph_signature
    # The signature lists what is given back changed; an operator may also write in place.
    changed = set(signature.buffers_to_mutate.values())
    changed.update(_list_written(exported))
    if changed:
        buffers = ", ".join(sorted(changed))
        raise JobError(
            f"{what}: changes {buffers} whenever it is called, and a score must not "
            "depend on those before; call net.eval() before torch.export.export, or take that out"
        )


def _is_training(node: Any) -> bool:
    """Tell whether an operator normalises by the rows beside a row, or drops numbers at random."""
    given = _list_arguments(node)
    # Two words of torch for one thing: `training` of batch_norm, `train` of dropout and lstm.
    training = given.get("training", given.get("train"))
    if training is not True:
        return False
    # An LSTM without dropout is the same in training.
    chance = given.get("p", given.get("dropout", 1))
    return bool(chance != 0)


def _list_written(exported: Any) -> Iterator[str]:
    """Yield the buffers that an operator writes to."""
    buffers = exported.graph_signature.inputs_to_buffers
    for node in exported.graph.nodes:
        written = _list_arguments(node, only_written=True).values()
        for value in written:
            name = getattr(value, "name", None)
            if name in buffers:
                yield buffers[name]


def _list_arguments(node: Any, only_written: bool = False) -> dict[str, Any]:
    """Return what an operator is given, by the names of its schema.

    Args:
        node: of the program's graph.
        only_written: leave out what it does not write to.
    """
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or schema is None:
        return {}
    names = [argument.name for argument in schema.arguments]
    # Arguments that keep their defaults are not given at all.
    given = dict(zip(names, node.args, strict=False))
    given |= node.kwargs
    if not only_written:
        return given
    written = {}
    for argument in schema.arguments:
        name = argument.name
        alias = argument.alias_info
        if alias and alias.is_write and name in given:
            written[name] = given[name]
    return written
