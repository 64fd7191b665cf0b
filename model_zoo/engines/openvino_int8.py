"""A package's ONNX graph of texts -> the same graph with weights in 8-bit integers, for OpenVINO.

OpenVINO rounds what such weights are multiplied with to 8 bits too, while it computes: so many numbers
of a token at a time, by the largest of them. So nothing of a row depends on another row, and a token
with one large number keeps the digits of its others. Attention's own products, sums and norms stay in
floating point.

    x --> x / s --> rounded in groups --+
                                        +--> MatMul
    weights * s --> int8 in groups -----+

`s` spreads what is hard to round over both: Xiao et al., 2023, "SmoothQuant". Nothing else is measured
on rows of a job.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.engine import Inputs
from model_zoo.engines.graph_settings import arrange_batches
from model_zoo.engines.onnx_session import make_session
from model_zoo.engines.openvino_flags import add_flag, has_any
from model_zoo.engines.whole_graph import read_whole_graph
from model_zoo.package.packed_model import PackedModel

# A name that no card can have for an output.
LOST = "NaN is lost in 8 bits"
# The largest numbers of a few texts are about those of all.
CALIBRATION_ROWS = 128
# So many numbers share a scale. Of fewer, scales take longer than what they scale; of more, one large
# number costs digits of too many others.
_GROUP = 64
# In the graph's own words, as its scores follow from it.
_GROUP_KEY = "numbers_rounded_together"
_LARGEST = 127
# Of weights and rows, where all numbers of one place are zero.
_LEAST = 1e-6
_FLOAT = 1


class _Product(NamedTuple):
    """A matrix product with weights that are the same for all rows.

    Attributes:
        node: `onnx.NodeProto`.
        weights: (numbers taken, numbers given).
    """

    node: Any
    weights: np.ndarray

    @property
    def taken(self) -> str:
        """Return the name of what the weights are multiplied with."""
        name: str = self.node.input[0]
        return name


def can_quantise() -> bool:
    """Tell whether the library is installed that measures on rows."""
    return find_spec("onnxruntime") is not None


def quantise_weights(package: PackedModel, rows: Iterable[Inputs]) -> bytes:
    """Return a package's graph with weights in 8-bit integers.

    Args:
        package: of a card that names a graph.
        rows: mini-batches that the reference scores, one tensor (rows, *shape) per input each.

    Raises:
        ModelError: there are no rows, or the graph has no product of such weights.
    """
    import onnx

    graph = read_whole_graph(package)
    model = onnx.ModelProto.FromString(graph.content)
    products = _find_products(model.graph)
    if not products:
        raise ModelError(
            f"{graph.path}: no product of weights in groups of {_GROUP} to compute in int8; "
            "tune with --without int8"
        )
    batches = list(arrange_batches(model, rows))
    if not batches:
        raise ModelError("no rows to measure the graph of int8 on")
    largest = _measure(model, {product.taken for product in products}, batches)
    for number, product in enumerate(products):
        _round_weights(model.graph, product, largest[product.taken], f"int8.{number}")
    _drop_unused(model.graph)
    # Names and versions of what wrote it, which say nothing of how it computes.
    del model.metadata_props[:]
    model.metadata_props.add(key=_GROUP_KEY, value=str(_GROUP))
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def find_group(content: bytes) -> int:
    """Return how many numbers OpenVINO rounds together while it computes a graph; 0 of any other graph.

    Args:
        content: of the graph, which has been looked through.

    Raises:
        ModelError: the graph names another number than this program makes.
    """
    import onnx

    model = onnx.ModelProto.FromString(content)
    said = [entry.value for entry in model.metadata_props if entry.key == _GROUP_KEY]
    if not said:
        return 0
    if said != [str(_GROUP)]:
        raise ModelError(
            f"the graph of int8 has numbers rounded in groups of {said}, and not of {_GROUP}; "
            "run pipelines.tune again"
        )
    return _GROUP


def guard_products(opset: Any, model: Any) -> None:
    """Add the output `LOST`: whether anything that is rounded to 8 bits is NaN, of which they make a number.

    Args:
        opset: OpenVINO's operators.
        model: OpenVINO's, of a graph that `quantise_weights` has made; it is changed.

    Raises:
        ModelError: it is none of those.
    """
    last_axis = opset.constant([-1], np.int64)
    flat = opset.constant([-1], np.int64)
    sums = []
    # A list, as operators are added on the way.
    for node in list(model.get_ordered_ops()):
        if node.get_type_name() == "MatMul" and _has_rounded_weights(node):
            # NaN if one of them is; a look at each of them takes three times as long.
            by_token = opset.reduce_sum(_find_watched(node), last_axis, keep_dims=False)
            sums.append(opset.reshape(by_token, flat, special_zero=False))
    if not sums:
        raise ModelError("the graph of int8 has no product in 8 bits; run pipelines.tune again")
    is_nan = opset.is_nan(opset.concat(sums, axis=0))
    add_flag(opset, model, LOST, [has_any(opset, is_nan)])


def _find_watched(product: Any) -> Any:
    """Return what tells of NaN in what weights are multiplied with: that, or what it is made of."""
    taken = product.input_value(0)
    made_of = taken.get_node().input_value(0)
    # Where others take that too, it stands in memory. Else OpenVINO makes one step of both, and to
    # watch between them would take a tenth of the time.
    is_shared = len(made_of.get_target_inputs()) > 1
    return made_of if is_shared else taken


def _has_rounded_weights(node: Any) -> bool:
    source = node.input_value(1).get_node()
    while source.get_input_size():
        source = source.input_value(0).get_node()
    return bool(source.get_output_element_type(0).get_type_name() == "i8")


def _find_products(graph: Any) -> list[_Product]:
    from onnx import numpy_helper

    numbers = {tensor.name: tensor for tensor in graph.initializer}
    products = []
    for node in graph.node:
        if node.op_type != "MatMul":
            continue
        taken, weights = node.input
        # Of two constants the library makes one.
        if taken in numbers or weights not in numbers:
            continue
        tensor = numbers[weights]
        is_float = tensor.data_type == _FLOAT
        if is_float and len(tensor.dims) == 2 and tensor.dims[0] % _GROUP == 0:
            products.append(_Product(node, numpy_helper.to_array(tensor)))
    return products


def _measure(
    model: Any, names: Iterable[str], batches: Sequence[Arrays]
) -> Mapping[str, np.ndarray]:
    """Return the size of the largest number at each place of the last axis, of what flows in a graph."""
    import onnx

    wanted = sorted(names)
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    for name in wanted:
        watched.graph.output.add(name=name)
    session = make_session(watched.SerializeToString(), {}, "the graph of int8")
    largest: dict[str, np.ndarray] = {}
    for batch in batches:
        flowing = session.run(wanted, batch)
        for name, values in zip(wanted, flowing, strict=True):
            by_place = np.abs(values).reshape(-1, values.shape[-1])
            sizes = by_place.max(axis=0)
            largest[name] = np.maximum(largest.get(name, sizes), sizes)
    if not all(np.isfinite(sizes).all() for sizes in largest.values()):
        raise ModelError("the graph computes NaN or infinity, and 8 bits have neither")
    return largest


def _round_weights(graph: Any, product: _Product, largest: np.ndarray, name: str) -> None:
    """Put 8-bit integers in the place of a product's weights.

    Args:
        graph: `onnx.GraphProto`, changed in place.
        product: of it.
        largest: of what the weights are multiplied with, by place.
        name: of what is added, which no other tensor has.
    """
    from onnx import helper

    spread = _choose_spread(product.weights, largest)
    weights = product.weights * spread[:, np.newaxis]
    taken, given = weights.shape
    grouped = weights.reshape(taken // _GROUP, _GROUP, given)
    sizes = np.abs(grouped).max(axis=1, keepdims=True)
    scales = np.maximum(sizes, np.float32(_LEAST)) / np.float32(_LARGEST)
    rounded = np.round(grouped / scales).astype(np.int8)

    arrays = {
        "spread": 1 / spread,
        "rounded": rounded,
        "scales": scales,
        "shape": np.array([taken, given], np.int64),
    }
    nodes = [
        helper.make_node("Mul", [product.taken, f"{name}.spread"], [f"{name}.taken"]),
        # In this order OpenVINO knows weights that it keeps in 8 bits.
        helper.make_node("Cast", [f"{name}.rounded"], [f"{name}.wide"], to=_FLOAT),
        helper.make_node("Mul", [f"{name}.wide", f"{name}.scales"], [f"{name}.scaled"]),
        helper.make_node("Reshape", [f"{name}.scaled", f"{name}.shape"], [f"{name}.weights"]),
    ]
    _add_arrays(graph, name, arrays)
    place = list(graph.node).index(product.node)
    for node in reversed(nodes):
        graph.node.insert(place, node)
    product.node.input[:] = [f"{name}.taken", f"{name}.weights"]


def _choose_spread(weights: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Return what weights are multiplied with by place, and what they are multiplied with divided by."""
    of_weights = np.maximum(np.abs(weights).max(axis=1), _LEAST)
    of_rows = np.maximum(largest, _LEAST)
    # Both then have largest numbers of the same size, by place: the authors' alpha of 0.5.
    spread = np.sqrt(of_rows / of_weights)
    # About 1 on the average, so that neither grows.
    middle = np.exp(np.log(spread).mean())
    return np.asarray(spread / middle, np.float32)


def _add_arrays(graph: Any, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    from onnx import numpy_helper

    for word, array in arrays.items():
        tensor = numpy_helper.from_array(array, f"{name}.{word}")
        graph.initializer.append(tensor)


def _drop_unused(graph: Any) -> None:
    """Leave out weights that nothing takes any more."""
    taken = set(_list_taken(graph))
    kept = [tensor for tensor in graph.initializer if tensor.name in taken]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _list_taken(graph: Any) -> Iterator[str]:
    """Yield the names that a graph's operators take, those of its branches and loops, and its outputs."""
    for output in graph.output:
        yield output.name
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _list_taken(inner)
