"""A package's ONNX graph -> OpenVINO's model, looked through before and after."""

from collections.abc import Sequence
from typing import Any

from configs.errors import ModelError
from model_zoo.engines.openvino_library import shorten
from model_zoo.engines.openvino_refusals import refuse_operators
from model_zoo.package.card import ModelCard

# As OpenVINO says them, by the card's names.
_DTYPES = {
    "f32": "float32",
    "f64": "float64",
    "i32": "int32",
    "i64": "int64",
    "boolean": "bool",
    "f16": "float16",
    "i8": "int8",
    "i16": "int16",
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
}


def read_model(
    core: Any,
    card: ModelCard,
    path: str,
    content: bytes,
) -> Any:
    """Return OpenVINO's model of a graph.

    Args:
        core: OpenVINO's.
        card: what the graph takes and gives.
        path: of the graph, for messages.
        content: of the graph, which has been looked through.

    Raises:
        ModelError: OpenVINO does not take it, or does not compute it as it stands there, or it is
            another graph than the card says.
    """
    try:
        model = core.read_model(content)
    except Exception as error:  # the library's classes come of its compiled module
        raise ModelError(f"{path}: OpenVINO does not take it: {shorten(error)}") from error
    refuse_operators(path, model)
    _check_tensors(path, card, model)
    return model


def _check_tensors(path: str, card: ModelCard, model: Any) -> None:
    """Refuse a graph that takes or gives other things than the card says."""
    wanted = {name: tensor.dtype for name, tensor in card.inputs.items()}
    taken = _list_dtypes(model.inputs)
    # An input of which nothing is made OpenVINO leaves out.
    is_of_card = taken.items() <= wanted.items()
    if not taken or not is_of_card:
        raise ModelError(f"{path}: the graph takes {taken}, and the card says {wanted}")
    given = _list_dtypes(model.outputs)
    for name in card.outputs:
        if name not in given:
            raise ModelError(
                f"{path}: the graph gives no numbers {name!r}, which the card says; it gives {given}"
            )


def _list_dtypes(ports: Sequence[Any]) -> dict[str, str]:
    """Return dtypes by name; of one that cards do not have, OpenVINO's own word."""
    dtypes = {}
    for port in ports:
        word = port.get_element_type().get_type_name()
        # One tensor may have several names.
        for name in port.get_names():
            dtypes[name] = _DTYPES.get(word, word)
    return dtypes
