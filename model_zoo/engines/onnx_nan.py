"""Let a graph tell of NaN of which ONNX Runtime would make a number.

Of NaN and a number its MaxPool and ReduceMax take the number, and its LSTM and GRU the largest one that
there is, so a row would be scored by nothing. Which inputs lead there is told, to be looked at
before; where the graph makes NaN of numbers, or infinity that becomes NaN behind, it gets an output that
says so:

    numbers --> Sqrt --+--> MaxPool --> as in the graph
                       +--> IsNaN --> NaN, or 0 (one number for all of the graph)
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from model_zoo.engines.checked_graph import Graph
from model_zoo.engines.nan_flow import MOVES, Taker, is_lost
from model_zoo.engines.nan_guard import LARGEST_SQUARE, Limit

# A name that no card can have for an output.
_FLAG = "numbers that are NaN"
_LOSE_NAN = frozenset(
    {
        "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "LSTM", "GRU", "DynamicQuantizeLSTM",
        "ThresholdedRelu",
        # Of a graph in 8 bits: no integer is NaN.
        "QuantizeLinear", "DynamicQuantizeLinear", "MatMulIntegerToFloat", "DynamicQuantizeMatMul",
    }
)  # fmt: skip
# Of numbers whose squares overflow they make 0, and so a row is as any other.
_NORMS = frozenset(
    {
        "LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization",
        "SimplifiedLayerNormalization", "SkipLayerNormalization", "LpNormalization", "MeanVarianceNormalization",
    }
)  # fmt: skip
_MAKE_NAN = frozenset({"Sqrt", "Log", "Asin", "Acos", "Acosh", "Atanh", "Div", "Mod", "Pow"})
# Where all numbers of a row may be minus infinity, as masks of texts are.
_SOFTMAX = frozenset({"Softmax", "LogSoftmax"})
# The logarithm of 0 is none of them: masks are made of it, which a softmax takes.
_MAKE_INFINITY = frozenset({"Exp", "Div", "Pow", "Reciprocal", "Sinh", "Cosh", "Tan", "Atanh"})
# As ONNX numbers them: of 32, 16 and 64 bits, and bfloat16.
_SINGLE = 1
_HALF = 10
_DOUBLE = 11
_FLOATS = frozenset({_SINGLE, _HALF, _DOUBLE, 16})
_SQUARE = 2
# The first version of ONNX in which a graph can ask what is NaN.
_ASKS_SINCE = 9
_BODIES = frozenset({"If", "Loop", "Scan"})


class Watched(NamedTuple):
    """A graph that tells of NaN.

    Attributes:
        graph: with outputs beside its own.
        flags: names of these, each finite where no row makes what is lost.
        limits: of each input that is looked at before, by name.
    """

    graph: Graph
    flags: tuple[str, ...] = ()
    limits: Mapping[str, Limit] = {}


def watch_nan(graph: Graph) -> Watched:
    """Return a graph that tells of NaN that ONNX Runtime loses in it.

    Args:
        graph: which has been looked through.
    """
    # Most graphs, and the rest takes a while of a large one.
    if graph.kinds.isdisjoint(_LOSE_NAN | _NORMS):
        return Watched(graph)
    # A second of start-up, for packages with a graph alone.
    import onnx

    model = onnx.ModelProto.FromString(graph.content)
    flow = _Flow(model.graph)
    limits = dict(_find_limits(flow))
    flags = _add_flags(flow, _has_is_nan(model))
    if not flags:
        return Watched(graph, limits=limits)
    changed = graph._replace(content=model.SerializeToString())
    return Watched(changed, tuple(flags), limits)


def used_inputs(graph: Graph) -> frozenset[str]:
    """Return the names of the inputs of which a graph makes something."""
    import onnx

    flow = _Flow(onnx.ModelProto.FromString(graph.content).graph)
    return frozenset(name for name in flow.inputs if flow.takers.get(name))


class _Flow:
    """Who takes what of whom in a graph.

    Attributes:
        graph: `onnx.GraphProto`.
        constants: its own numbers by name.
        makers: the operator that gives a tensor, by the tensor's name.
        takers: operators that take a tensor, each with the port, by the tensor's name.
        inputs: names and dtypes, as ONNX numbers them.
    """

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.makers: dict[str, Any] = {}
        self.takers: dict[str, list[tuple[Any, int]]] = {}
        self.inputs = {}
        for given in graph.input:
            if given.name not in self.constants:
                self.inputs[given.name] = given.type.tensor_type.elem_type
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute:
                self.constants[node.output[0]] = node.attribute[0].t
            for name in filter(None, node.output):
                self.makers[name] = node
            for port, name in enumerate(_list_taken(node)):
                if name:
                    self.takers.setdefault(name, []).append((node, port))

    def list_dtypes(self) -> set[int]:
        """Return the dtypes of the inputs, of the graph's own numbers and of what is cast, as ONNX numbers them."""
        dtypes = {*self.inputs.values()}
        dtypes.update(tensor.data_type for tensor in self.constants.values())
        casts = [node for node in self.graph.node if node.op_type == "Cast"]
        dtypes.update(attribute.i for node in casts for attribute in node.attribute)
        return dtypes

    def find_numbers(self, name: str) -> np.ndarray | None:
        """Return floating-point numbers that are the graph's own and in its file; None of all else."""
        from onnx import numpy_helper

        tensor = self.constants.get(name)
        # Whole layers are in other files, and masks are not.
        if (
            tensor is None
            or tensor.data_type not in _FLOATS
            or tensor.data_location == tensor.EXTERNAL
        ):
            return None
        return numpy_helper.to_array(tensor)

    def list_takers(self, name: str) -> Iterator[Taker]:
        """Yield all that take something of the operator that gives a tensor, or of an input."""
        maker = self.makers.get(name)
        given = [name] if maker is None else filter(None, maker.output)
        for tensor in given:
            for node, port in self.takers.get(tensor, ()):
                has_constant = any(taken in self.constants for taken in node.input)
                yield Taker(_name(node), _find_kind(node), port, has_constant)

    def find_inputs(self, name: str, kinds: frozenset[str] | None = None) -> set[str]:
        """Return the inputs that a tensor is made of, by operators of some kinds alone or of any."""
        seen: set[str] = set()
        pending = [name]
        while pending:
            tensor = pending.pop()
            if tensor in seen:
                continue
            seen.add(tensor)
            maker = self.makers.get(tensor)
            if maker is not None and (kinds is None or maker.op_type in kinds):
                pending.extend(filter(None, _list_taken(maker)))
        return seen & set(self.inputs)


def _name(node: Any) -> str:
    # An LSTM may have its first output left out, and a broken graph all of them.
    return next(filter(None, node.output), "")


def _list_taken(node: Any) -> Iterator[str]:
    """Yield the names that an operator takes, those of its branches and loops behind its own."""
    yield from node.input
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for inner_node in inner.node:
                yield from _list_taken(inner_node)


def _find_kind(node: Any) -> str:
    """Return an operator's kind; of one with branches or a loop, what is lost there."""
    if node.op_type not in _BODIES:
        return str(node.op_type)
    for kind in _list_kinds_inside(node):
        if kind in _LOSE_NAN:
            return kind
    return str(node.op_type)


def _list_kinds_inside(node: Any) -> Iterator[str]:
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for inner_node in inner.node:
                yield inner_node.op_type
                yield from _list_kinds_inside(inner_node)


def _find_limits(flow: _Flow) -> Iterator[tuple[str, Limit]]:
    """Yield the inputs whose NaN or infinity leads to a number, and what is none among them."""
    asked_for_nan = _find_asked(flow, frozenset({"IsNaN"}))
    asked_for_infinity = _find_asked(flow, frozenset({"IsInf"}))
    for name, dtype in flow.inputs.items():
        if dtype not in _FLOATS:
            continue
        is_nan_lost = is_lost(name, True, flow.list_takers, _LOSE_NAN)
        is_infinity_lost = is_lost(name, False, flow.list_takers, _LOSE_NAN | _NORMS)
        takes_nan = name in asked_for_nan or not is_nan_lost
        takes_infinity = name in asked_for_infinity or not is_infinity_lost
        if not (takes_nan and takes_infinity):
            # Sums of what is larger may be infinity, and their difference NaN.
            largest = None if takes_infinity else LARGEST_SQUARE
            yield name, Limit(largest, takes_nan)


def _find_asked(flow: _Flow, kinds: frozenset[str]) -> set[str]:
    """Return the inputs of which a graph itself asks what they are."""
    asked: set[str] = set()
    for node in flow.graph.node:
        # Of what it made itself it may ask for another reason, as attention does.
        if node.op_type in kinds:
            asked |= flow.find_inputs(node.input[0], MOVES)
    return asked


def _has_is_nan(model: Any) -> bool:
    """Tell whether a model's version of ONNX has an operator that asks what is NaN."""
    versions = [opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")]
    return bool(versions) and max(versions) >= _ASKS_SINCE


def _add_flags(flow: _Flow, has_is_nan: bool) -> list[str]:
    """Add an output for each operator that makes NaN, or infinity, which is lost; return their names."""
    flags: list[str] = []
    may_be_infinite = any(_holds_infinity(flow, name) for name in flow.constants)
    add_up = _add_up_halves if _HALF in flow.list_dtypes() else _add_up
    # A list, as operators are added on the way.
    for node in list(flow.graph.node):
        if not _makes_what_is_lost(flow, node, may_be_infinite):
            continue
        flag = f"{_FLAG} {len(flags)}"
        is_infinite_too = _makes_infinity_that_is_lost(flow, node)
        # Older graphs can ask for both together alone.
        count = add_up if is_infinite_too or not has_is_nan else _count
        flow.graph.node.extend(count(_name(node), flag))
        # Of which dtype the library finds out.
        flow.graph.output.add(name=flag)
        flags.append(flag)
    return flags


def _makes_what_is_lost(flow: _Flow, node: Any, may_be_infinite: bool) -> bool:
    """Tell whether an operator makes NaN of a row, or infinity, and a number comes of that behind."""
    # Attention that exporters wrote asks so itself, and puts 0 in its place.
    if any(taker.kind == "IsNaN" for taker in flow.list_takers(_name(node))):
        return False
    makes_nan = _makes_nan(flow, node, may_be_infinite)
    is_nan_lost = makes_nan and is_lost(_name(node), True, flow.list_takers, _LOSE_NAN)
    if not is_nan_lost and not _makes_infinity_that_is_lost(flow, node):
        return False
    # Others are the same for all rows, and are tried before the model scores. Asked last: all that is
    # before an operator is gone through for it, which takes seconds of a deep network.
    return bool(flow.find_inputs(_name(node)))


def _makes_nan(flow: _Flow, node: Any, may_be_infinite: bool) -> bool:
    if node.op_type in _SOFTMAX:
        return may_be_infinite
    return node.op_type in _MAKE_NAN and not _has_harmless_constant(flow, node)


def _makes_infinity_that_is_lost(flow: _Flow, node: Any) -> bool:
    makes_infinity = node.op_type in _MAKE_INFINITY and not _has_harmless_constant(flow, node)
    return makes_infinity and is_lost(_name(node), False, flow.list_takers, _LOSE_NAN)


def _has_harmless_constant(flow: _Flow, node: Any) -> bool:
    """Tell whether an operator divides by what is not 0, or makes squares."""
    if node.op_type not in ("Div", "Pow"):
        return False
    numbers = flow.find_numbers(node.input[1])
    if numbers is None:
        return False
    if node.op_type == "Div":
        return bool(np.all(numbers != 0))
    return bool(np.all(numbers == _SQUARE))


def _count(tensor: str, flag: str) -> Sequence[Any]:
    """Return operators that make NaN of a tensor with NaN, and 0 of any other."""
    from onnx import helper

    return (
        # A quotient or a power may be of integers, of which no graph can ask what is NaN, and a
        # graph does not say what its operators give.
        helper.make_node("Cast", [tensor], [f"{flag}, wide"], to=_DOUBLE),
        helper.make_node("IsNaN", [f"{flag}, wide"], [f"{flag}, each"]),
        helper.make_node("Cast", [f"{flag}, each"], [f"{flag}, as 1"], to=_DOUBLE),
        # Of no rows 0, where the largest of none is an error.
        helper.make_node("ReduceSum", [f"{flag}, as 1"], [f"{flag}, all"], keepdims=0),
        # A root of what is below 0 is NaN.
        helper.make_node("Neg", [f"{flag}, all"], [f"{flag}, below 0"]),
        helper.make_node("Sqrt", [f"{flag}, below 0"], [flag]),
    )


def _add_up(tensor: str, flag: str) -> Sequence[Any]:
    """Return an operator that makes NaN or infinity of a tensor with either, and a number of any other."""
    from onnx import helper

    # One look at each number, where a question and its count are four.
    return (helper.make_node("ReduceL1", [tensor], [flag], keepdims=0),)


def _add_up_halves(tensor: str, flag: str) -> Sequence[Any]:
    """Return operators that do as `_add_up`, of numbers of which some hundred come to more than their dtype holds."""
    from onnx import helper

    wide = f"{flag}, wide"
    return (
        helper.make_node("Cast", [tensor], [wide], to=_SINGLE),
        *_add_up(wide, flag),
    )


def _holds_infinity(flow: _Flow, name: str) -> bool:
    numbers = flow.find_numbers(name)
    return numbers is not None and bool(np.isinf(numbers).any())
