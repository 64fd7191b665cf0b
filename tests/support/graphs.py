"""Packages that hold an ONNX graph, made by hand, and packing done as a user does it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from configs.load import load
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays, count_rows
from model_zoo.package.package import SMOKE, write_package
from model_zoo.steps.stack import Stack
from model_zoo.steps.table import AnyStep
from model_zoo.tensor_columns import to_column
from pipelines.packing.asking.questions import Questions
from pipelines.packing.graph_packing import pack_converted
from pipelines.packing.material import AS_IT_IS, Material
from pipelines.packing.sample.tables import read_sample
from pipelines.packing.writing.packed import Packed
from tests.support.builders import FEATURES, parquet, tiny_card, tiny_network, tiny_package

WEIGHTS = np.array([[0.5], [-2.0], [1.0]], np.float32)


def linear_graph(rows: str | int = "rows", weights: np.ndarray = WEIGHTS) -> Any:
    """`logit = x @ weights`, of shape (rows, 1)."""
    from onnx import TensorProto, helper, numpy_helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, len(weights)])
    logit = helper.make_tensor_value_info("logit", TensorProto.FLOAT, [rows, 1])
    node = helper.make_node("MatMul", ["x", "w"], ["logit"])
    inner = helper.make_graph([node], "g", [x], [logit], [numpy_helper.from_array(weights, "w")])
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def spread_graph(offset: int = 0) -> tuple[Any, dict[str, bytes]]:
    """Return `linear_graph` with its numbers in a file beside it, from this byte on, and the file by its name."""
    model = linear_graph()
    tensor = model.graph.initializer[0]
    name = "model.onnx.data"
    data = {name: tensor.raw_data}
    place = {"location": name, "offset": str(offset), "length": str(len(tensor.raw_data))}
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    return model, data


def graph_package(
    url: Path, model: Any, data: dict[str, bytes] | None = None, **changes: Any
) -> str:
    """Write a package of `linear_graph`, or of one that takes its place, and return its URL."""
    x = np.random.default_rng(3).standard_normal((8, 3)).astype(np.float32)
    stacked = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 3)
    columns = dict(zip(FEATURES, x.T, strict=True))
    smoke = pa.table({**columns, "input.x": stacked, "output.logit": (x @ WEIGHTS)[:, 0]})
    card = tiny_card(**changes)
    del card["builder"], card["parameters"]
    card["onnx"] = {"model": "model.onnx", "data": list(data or {})}
    contents = {"model.onnx": model.SerializeToString(), SMOKE: parquet(smoke), **(data or {})}
    write_package(str(url), card, (Stack(step="stack", columns=FEATURES, into="x"),), contents)
    return str(url)


def graph_of(
    nodes: list[Any],
    arrays: dict[str, Any] | None = None,
    shape: tuple[int, ...] = (3,),
    dtype: int = 1,
) -> Any:
    """A graph of x (rows, *shape), float32 by default, that gives `logit`, with arrays of its own by name."""
    from onnx import TensorProto, helper, numpy_helper

    x = helper.make_tensor_value_info("x", dtype, ["rows", *shape])
    logit = helper.make_tensor_value_info("logit", TensorProto.FLOAT, None)
    tensors = [
        numpy_helper.from_array(np.asarray(array), name) for name, array in (arrays or {}).items()
    ]
    inner = helper.make_graph(nodes, "g", [x], [logit], tensors)
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def picture_graph() -> Any:
    """Pictures (rows, 1, 8, 8) -> 5 numbers each."""
    random = np.random.default_rng(1)
    arrays = {
        "filters": random.standard_normal((16, 1, 3, 3)).astype(np.float32),
        "weights": random.normal(0, 0.01, (16 * 36, 5)).astype(np.float32),
    }
    from onnx import helper

    nodes = [
        helper.make_node("Conv", ["x", "filters"], ["found"]),
        helper.make_node("Relu", ["found"], ["kept"]),
        helper.make_node("Flatten", ["kept"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logit"]),
    ]
    return graph_of(nodes, arrays, (1, 8, 8))


def package_of_both(url: Path) -> str:
    """Write a package that holds `linear_graph` and a network that computes the same, and return its URL."""
    network = tiny_network(hidden=())
    values = {"weight": torch.from_numpy(WEIGHTS.T.copy()), "bias": torch.zeros(1)}
    names = {name.rpartition(".")[2]: name for name in network.state_dict()}
    network.load_state_dict({names[name]: value for name, value in values.items()})
    return tiny_package(
        url,
        network=network,
        parameters={"in_features": len(WEIGHTS), "hidden": [], "out_features": 1},
        onnx={"model": "model.onnx"},
        contents={"model.onnx": linear_graph().SerializeToString()},
    )


def package_of(url: Path, model: Any, inputs: Arrays, **changes: Any) -> str:
    """Write a package of any graph, whose smoke outputs are those of ONNX's own reference, and return its URL."""
    from onnx.reference import ReferenceEvaluator

    names = [output.name for output in model.graph.output]
    computed = ReferenceEvaluator(model).run(names, inputs)
    outputs = dict(zip(names, computed, strict=True))
    columns: dict[str, Any] = dict.fromkeys(FEATURES, np.zeros(count_rows(inputs), np.float32))
    card = tiny_card(activation="none", labels=[], onnx={"model": "model.onnx"})
    del card["builder"], card["parameters"]
    for kind, arrays in (("input", inputs), ("output", outputs)):
        for name, array in arrays.items():
            columns[f"{kind}.{name}"] = to_column(array)
        card[f"{kind}s"] = {
            name: {"dtype": array.dtype.name, "shape": list(array.shape[1:])}
            for name, array in arrays.items()
        }
    contents = {"model.onnx": model.SerializeToString(), SMOKE: parquet(pa.table(columns))}
    steps = (Stack(step="stack", columns=FEATURES, into="x"),)
    write_package(str(url), {**card, **changes}, steps, contents)
    return str(url)


def pack_file(folder: Path, kind: str, file: Path, rows: pd.DataFrame, **fields: Any) -> Packed:
    """Pack a model's file with rows as its sample, as the command does."""
    sample = folder / "sample.parquet"
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), sample)
    wanted = {kind: str(file), "sample": str(sample), "output": str(folder / "package"), **fields}
    job = load(PackagingJob[AnyStep], None, [(name, str(value)) for name, value in wanted.items()])
    return pack_graph(job, read_sample(job.sample).rows)


def pack_graph(job: PackagingJob[AnyStep], sample: pa.Table) -> Packed:
    """Pack the model that a job names, with a sample that is read already."""
    material = Material(job, sample, None, reading=AS_IT_IS)
    return pack_converted(material, Questions())
