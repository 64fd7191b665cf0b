"""An author's ONNX file becomes a package whose scores are those of ONNX Runtime on the file itself."""

from pathlib import Path
import sys

import numpy as np
import pandas as pd
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from configs.errors import JobError, ModelError  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from pipelines.packing.converters import graph_files  # noqa: E402
from pipelines.packing.converters.onnx_file import _find_lengths  # noqa: E402
from tests.support.graphs import WEIGHTS, linear_graph, pack_file  # noqa: E402


def frame(rows: int = 1000) -> pd.DataFrame:
    values = np.random.default_rng(1).normal(size=(rows, 3))
    return pd.DataFrame(values, columns=["a", "b", "c"])


def saved(path: Path, model) -> Path:
    onnx.save(model, path)
    return path


def test_a_graph_is_packed_and_proven(tmp_path: Path) -> None:
    file = saved(tmp_path / "net.onnx", linear_graph())
    rows = frame()
    packed = pack_file(tmp_path, "onnx", file, rows, activation="sigmoid")
    assert packed.rows == 1000
    assert packed.difference == 0
    assert packed.card.builder == ""
    assert list(packed.card.files) == [
        "model.onnx",
        "preprocess.json",
        "profile.parquet",
        "smoke.parquet",
    ]
    session = onnxruntime.InferenceSession(file)
    (expected,) = session.run(None, {"x": rows.to_numpy(np.float32)})
    package = read_package(str(tmp_path / "package"))
    smoke = package.smoke.column("output.logit").to_numpy()
    np.testing.assert_allclose(smoke, expected[:16, 0], rtol=1e-6)


@pytest.mark.slow
def test_numbers_beside_the_file_are_taken_in_or_kept_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = np.random.default_rng(0).normal(size=(600, 1)).astype(np.float32)
    names = [f"c{number}" for number in range(600)]
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(20, 600)), columns=names)
    for most, files in ((1 << 30, ()), (1, ("model.onnx.data",))):
        monkeypatch.setattr(graph_files, "MOST_BYTES", most)
        folder = tmp_path / str(most)
        folder.mkdir()
        onnx.save(
            linear_graph(weights=weights),
            folder / "net.onnx",
            save_as_external_data=True,
            location="numbers.bin",
            size_threshold=0,
        )
        packed = pack_file(folder, "onnx", folder / "net.onnx", rows, activation="none")
        assert packed.card.onnx is not None
        assert packed.card.onnx.data == files
        assert packed.difference == 0


def test_maps_and_texts_give_way_to_numbers(tmp_path: Path) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.linear_model import LogisticRegression

    rows = frame()
    names = np.where(rows.a + rows.b > 0, "yes", "no")
    model = LogisticRegression().fit(rows.to_numpy(np.float32), names)
    file = tmp_path / "lr.onnx"
    kinds = [("x", skl2onnx.common.data_types.FloatTensorType([None, 3]))]
    file.write_bytes(skl2onnx.to_onnx(model, initial_types=kinds).SerializeToString())
    packed = pack_file(tmp_path, "onnx", file, rows, activation="none")
    assert list(packed.card.outputs) == ["probabilities"]
    smoke = read_package(str(tmp_path / "package")).smoke
    found = np.array(smoke.column("output.probabilities").to_pylist())
    expected = model.predict_proba(rows.to_numpy(np.float32))
    np.testing.assert_allclose(found, expected[:16], atol=1e-6)
    assert any("took the map off" in note for note in packed.notes)
    assert any("label" in note and "no array of numbers" in note for note in packed.notes)


def test_functions_of_a_graph_are_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a program that has imported onnx alone.
    monkeypatch.delitem(sys.modules, "onnx.inliner", raising=False)
    monkeypatch.delattr(onnx, "inliner", raising=False)
    model = linear_graph()
    helper = onnx.helper
    imports = [helper.make_opsetid("", 20)]
    doubling = [helper.make_node("Add", ["a", "a"], ["twice"])]
    function = helper.make_function("own", "Double", ["a"], ["twice"], doubling, imports)
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node[0].output[0] = "half"
    model.graph.node.append(helper.make_node("Double", ["half"], ["logit"], domain="own"))
    pack_file(tmp_path, "onnx", saved(tmp_path / "n.onnx", model), frame(), activation="none")
    smoke = read_package(str(tmp_path / "package")).smoke.column("output.logit").to_numpy()
    expected = 2 * frame().to_numpy(np.float32)[:16] @ WEIGHTS
    np.testing.assert_allclose(smoke, expected[:, 0], rtol=1e-5)


def test_scores_in_floats_of_two_bytes_become_float32(tmp_path: Path) -> None:
    model = linear_graph()
    helper = onnx.helper
    half = onnx.TensorProto.FLOAT16
    model.graph.output[0].type.tensor_type.elem_type = half
    model.graph.node[0].output[0] = "whole"
    model.graph.node.append(helper.make_node("Cast", ["whole"], ["logit"], to=half))
    file = saved(tmp_path / "n.onnx", model)
    packed = pack_file(tmp_path, "onnx", file, frame(), activation="none", outputs="[logit]")
    assert {name: tensor.dtype for name, tensor in packed.card.outputs.items()} == {
        "logit_float32": "float32"
    }
    assert "made float32 of its output 'logit', as 'logit_float32'" in packed.notes
    smoke = read_package(str(tmp_path / "package")).smoke
    actual = smoke.column("output.logit_float32").to_numpy()
    expected = (frame().to_numpy(np.float32)[:16] @ WEIGHTS).astype(np.float16)
    np.testing.assert_allclose(actual, expected[:, 0], rtol=1e-3)


def branch_with_notes():
    """An If, of whose result nothing is made."""
    helper = onnx.helper
    one = onnx.numpy_helper.from_array(np.float32(1), "one")
    made = helper.make_tensor_value_info("made", onnx.TensorProto.FLOAT, [])
    inner = helper.make_node("Identity", ["one"], ["made"], doc_string="/home/ada/secret/net.py")
    branch = helper.make_graph([inner], "branch", [], [made], [one])
    shape = helper.make_node(
        "Constant", [], ["always"], value=onnx.numpy_helper.from_array(np.True_)
    )
    either = helper.make_node("If", ["always"], ["unused"], then_branch=branch, else_branch=branch)
    return shape, either


def test_the_exporters_notes_stay_behind(tmp_path: Path) -> None:
    model = linear_graph()
    model.doc_string = "/home/ada/secret/net.py"
    model.graph.node[0].doc_string = "/home/ada/secret/net.py"
    model.metadata_props.add(key="path", value="/home/ada/secret/net.py")
    model.graph.node.extend(branch_with_notes())
    pack_file(tmp_path, "onnx", saved(tmp_path / "n.onnx", model), frame(), activation="none")
    assert b"secret" not in (tmp_path / "package" / "model.onnx").read_bytes()


def test_what_cannot_be_packed_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="there is no such file"):
        pack_file(tmp_path, "onnx", tmp_path / "none.onnx", frame())
    (tmp_path / "torn.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match="cannot be read"):
        pack_file(tmp_path, "onnx", tmp_path / "torn.onnx", frame())
    fixed = saved(tmp_path / "fixed.onnx", linear_graph(rows=1))
    with pytest.raises(JobError, match=r"takes exactly 1 rows.*free first dimension"):
        pack_file(tmp_path, "onnx", fixed, frame())
    file = saved(tmp_path / "net.onnx", linear_graph())
    with pytest.raises(JobError, match="activation is needed"):
        pack_file(tmp_path, "onnx", file, frame())
    with pytest.raises(JobError, match="the graph gives no 'score', but logit"):
        pack_file(tmp_path, "onnx", file, frame(), outputs="[score]")
    with pytest.raises(ModelError, match="the graph fails on"):
        pack_file(tmp_path, "onnx", file, frame()[["a", "b"]], activation="none")
    assert not (tmp_path / "package").exists()


def test_lists_and_their_mask_reach_a_graph_in_its_own_length_and_dtypes(tmp_path: Path) -> None:
    """Against a sum over each list by itself."""
    take = onnx.helper.make_tensor_value_info
    kinds = onnx.TensorProto
    nodes = [
        onnx.helper.make_node("Cast", ["mask"], ["ones"], to=kinds.FLOAT),
        onnx.helper.make_node("Mul", ["events", "ones"], ["taken"]),
        onnx.helper.make_node("ReduceSum", ["taken", "axis"], ["total"], keepdims=0),
    ]
    graph = onnx.helper.make_graph(
        nodes, "g",
        [take("events", kinds.FLOAT, ["rows", 7]), take("mask", kinds.BOOL, ["rows", 7])],
        [take("total", kinds.FLOAT, ["rows"])],
        [onnx.helper.make_tensor("axis", kinds.INT64, [1], [1])],
    )  # fmt: skip
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10
    )
    file = saved(tmp_path / "net.onnx", model)
    random = np.random.default_rng(0)
    events = [random.normal(size=random.integers(0, 6)).tolist() for _ in range(50)]
    packed = pack_file(
        tmp_path, "onnx", file, pd.DataFrame({"events": events}), activation="none", columns=["events"],
        inputs={"events": "events", "mask": "events_mask"},
    )  # fmt: skip
    assert packed.card.inputs["mask"].dtype == "bool"
    assert packed.card.inputs["events"].shape == (7,)
    package = read_package(str(tmp_path / "package"))
    found = package.smoke.column("output.total").to_pylist()
    assert found == pytest.approx([sum(row) for row in events[:16]], abs=1e-6)


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [
        (["rows", 3], {"x": 3}),
        (["rows", 5, 2], {"x": 5}),
        # Of numbers alone, and of lists of any length, nothing is said.
        (["rows"], {}),
        (["rows", "tokens"], {}),
        (["rows", None], {}),
        ([], {}),
    ],
)
def test_how_long_lists_are_is_what_the_graph_says(shape: list, lengths: dict) -> None:
    kind = onnx.TensorProto.FLOAT
    x = onnx.helper.make_tensor_value_info("x", kind, shape)
    y = onnx.helper.make_tensor_value_info("y", kind, None)
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [x], [y]))
    assert _find_lengths(model) == lengths
