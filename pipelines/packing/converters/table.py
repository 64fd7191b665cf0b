"""The table of models that are kept as graphs: a new kind is a file in this folder, and its line below."""

from collections.abc import Callable
from importlib import import_module

import pyarrow as pa

from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.converted import Converted

# By the flag that names their file, the module whose `convert` reads it.
_CONVERTERS = {
    "onnx": "onnx_file",
    "sklearn": "scikit_learn",
    "xgboost": "xgboost_trees",
    "lightgbm": "lightgbm_trees",
    "exported": "exported_program",
    "torchscript": "torch_script",
}


def find_converter(kind: str) -> Callable[[PackagingJob[AnyStep], pa.Table], Converted]:
    """Return what makes a graph of a model of a kind."""
    # Imported when it is asked for: each needs a library that others do not.
    module = import_module(f"pipelines.packing.converters.{_CONVERTERS[kind]}")
    convert: Callable[[PackagingJob[AnyStep], pa.Table], Converted] = module.convert
    return convert
