"""A stranger's ONNX file is nothing but data: it names no operators of others, no files, and no numbers that it does not hold."""

import re

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from model_zoo.package.onnx_graph import parse_graph  # noqa: E402


def graph(nodes=(), initialisers=()):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    inner = helper.make_graph(list(nodes), "g", [x], [y], list(initialisers))
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def identity():
    return helper.make_node("Identity", ["x"], ["y"])


def external(location="model.onnx.data", length="8"):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "length": length}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def test_a_graph_with_its_numbers_is_taken() -> None:
    weights = numpy_helper.from_array(np.ones((2, 1), np.float32), "w")
    scalar = numpy_helper.from_array(np.float32(2.0), "s")
    flags = helper.make_tensor("flags", TensorProto.BOOL, [3], [True, False, True])
    texts = helper.make_tensor("texts", TensorProto.STRING, [2], ["a", "b"])
    model = graph([helper.make_node("MatMul", ["x", "w"], ["y"])], [weights, scalar, flags, texts])
    assert parse_graph(model.SerializeToString(), {}).graph.node[0].op_type == "MatMul"


def test_numbers_of_a_file_of_the_package_are_taken() -> None:
    model = graph([identity()], [external()])
    assert parse_graph(model.SerializeToString(), {"model.onnx.data": 8})


def huge():
    return TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[1 << 20, 1 << 20], raw_data=b"1234"
    )


def in_a_branch(inner):
    branch = helper.make_graph(
        [inner], "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
    )
    return helper.make_node("If", ["c"], ["y"], then_branch=branch)


def test_operators_that_wait_for_each_other_are_refused() -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    with pytest.raises(ValueError, match="take what is made of what they give"):
        parse_graph(graph(nodes).SerializeToString(), {})


def test_what_is_left_out_is_nothing_that_operators_wait_for() -> None:
    nodes = [
        helper.make_node("Clip", ["x", "", "most"], ["a"]),
        helper.make_node("Dropout", ["a"], ["y", ""]),
    ]
    most = numpy_helper.from_array(np.float32(2.0), "most")
    assert parse_graph(graph(nodes, [most]).SerializeToString(), {})


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (
            graph([helper.make_node("Run", ["x"], ["y"], domain="evil.ops")]),
            "not ONNX Runtime's own",
        ),
        (
            graph([in_a_branch(helper.make_node("Run", [], ["z"], domain="evil.ops"))]),
            "not ONNX Runtime's own",
        ),
        (graph([helper.make_node("RandomNormalLike", ["x"], ["y"])]), "draws numbers at random"),
        (graph([identity()], [huge()]), "w would have 1,099,511,627,776 numbers"),
        (
            graph([helper.make_node("Constant", [], ["y"], value=huge())]),
            "1,099,511,627,776 numbers",
        ),
        (
            graph([identity()], [external("/etc/passwd")]),
            "'/etc/passwd', which the package does not",
        ),
        (graph([identity()], [external("../other")]), "which the package does not list"),
        (graph([identity()], [external(length="9")]), "more numbers than 'model.onnx.data' holds"),
        (
            graph([identity()], [external(), external()]),
            "more numbers than 'model.onnx.data' holds",
        ),
        (graph([identity()], [external(length="-1")]), "does not say how many bytes"),
        (graph([identity()], [external(length="4")]), "w would have 2 numbers"),
    ],
)
def test_what_could_do_more_than_compute_is_refused(model, why: str) -> None:
    # The last case: half of the bytes of a float each are fewer than its numbers.
    if "w would have 2" in why:
        model.graph.initializer[0].external_data[1].value = "1"
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_graph(model.SerializeToString(), {"model.onnx.data": 8})


def dropout(training):
    return graph(
        [helper.make_node("Dropout", ["x", "ratio", "training"], ["y"])],
        [numpy_helper.from_array(np.float32(0.5), "ratio"), training],
    )


def test_dropout_is_taken_only_where_it_drops_nothing() -> None:
    switched_off = dropout(numpy_helper.from_array(np.bool_(False), "training"))
    assert parse_graph(switched_off.SerializeToString(), {})
    ratio = numpy_helper.from_array(np.float32(0.5), "ratio")
    for inputs in (["x"], ["x", "ratio"], ["x", "ratio", ""]):
        unsaid = graph([helper.make_node("Dropout", inputs, ["y"])], [ratio])
        assert parse_graph(unsaid.SerializeToString(), {})
    known_late = graph(
        [
            helper.make_node("Shape", ["x"], ["s"]),
            helper.make_node("Cast", ["s"], ["training"], to=TensorProto.BOOL),
            helper.make_node("Dropout", ["x", "", "training"], ["y"]),
        ]
    )
    held = numpy_helper.from_array(np.bool_(True), "training")
    typed = helper.make_tensor("training", TensorProto.BOOL, [], [True])
    for model in (dropout(held), dropout(typed), known_late):
        with pytest.raises(ValueError, match="Dropout in training"):
            parse_graph(model.SerializeToString(), {})


def switched_by(kind: str, inputs: list[str], **attributes):
    """A Dropout whose switch a node of some kind makes."""
    shape = numpy_helper.from_array(np.zeros(0, np.int64), "shape")
    nodes = [
        helper.make_node(kind, inputs, ["training"], **attributes),
        helper.make_node("Dropout", ["x", "", "training"], ["y"]),
    ]
    return graph(nodes, [shape])


def test_only_a_constant_says_that_dropout_drops_nothing() -> None:
    off = numpy_helper.from_array(np.bool_(False), "value")
    on = numpy_helper.from_array(np.bool_(True), "value")
    constant = switched_by("Constant", [], value=off)
    assert parse_graph(constant.SerializeToString(), {})
    refused = [
        switched_by("Constant", [], value=on),
        # Its value is beside the point: what else it makes of it, nobody looks into.
        switched_by("ConstantOfShape", ["shape"], value=off),
        switched_by("Identity", ["shape"]),
    ]
    for model in refused:
        with pytest.raises(ValueError, match="Dropout in training"):
            parse_graph(model.SerializeToString(), {})


def test_functions_and_sparse_tensors_are_refused() -> None:
    model = graph([identity()])
    model.functions.add(name="f", domain="mine")
    with pytest.raises(ValueError, match="functions of its own"):
        parse_graph(model.SerializeToString(), {})
    model = graph([identity()])
    model.graph.sparse_initializer.add(dims=[1 << 40])
    with pytest.raises(ValueError, match="sparse"):
        parse_graph(model.SerializeToString(), {})


def nested(depth: int) -> bytes:
    """Return a graph with a branch in a branch, so many times."""
    node = helper.make_node("Constant", [], ["z"], value_float=1.0)
    for _ in range(depth):
        node = in_a_branch(node)
        node.output[0] = "z"
    return graph([node]).SerializeToString()


def test_deep_nesting_is_refused() -> None:
    parse_graph(nested(16), {})
    with pytest.raises(ValueError, match="nested deeper than 16"):
        parse_graph(nested(17), {})


@pytest.mark.parametrize("content", [b"", b"\x00", b"PK\x03\x04", b"not a graph at all"])
def test_what_is_no_graph_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not an ONNX file"):
        parse_graph(content, {})


@pytest.mark.parametrize(
    ("length", "why"),
    [
        # 18 digits are a size that some file might have, and 19 are none.
        ("9" * 18, "more numbers than 'model.onnx.data' holds"),
        ("1" + "0" * 18, "does not say how many bytes"),
        ("9" * 5000, "does not say how many bytes"),
        ("", "does not say how many bytes"),
        ("+8", "does not say how many bytes"),
        ("8.0", "does not say how many bytes"),
        ("\u0668", "does not say how many bytes"),
    ],
)
def test_a_length_that_no_file_has_is_no_number(length: str, why: str) -> None:
    model = graph([identity()], [external(length=length)])
    with pytest.raises(ValueError, match=why):
        parse_graph(model.SerializeToString(), {"model.onnx.data": 8})
