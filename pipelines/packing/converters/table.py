"""The table of models that are kept as graphs: a new kind is a file in this folder, and its line below."""

from collections.abc import Callable
from importlib import import_module
from typing import TypeAlias

import pyarrow as pa

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.converters.converted import Converted
from storage import files

Job: TypeAlias = PackagingJob[AnyStep]

# By the flag that names their file, the module whose `convert` reads it.
_CONVERTERS = {
    "onnx": "onnx_file",
    "sklearn": "scikit_learn",
    "xgboost": "xgboost_trees",
    "lightgbm": "lightgbm_trees",
    "keras": "keras_file",
    "tflite": "tflite_file",
    "exported": "exported_program",
    "torchscript": "torch_script",
    "remote": "remote_server",
}


def find_converter(kind: str) -> Callable[[Job, pa.Table], Converted]:
    """Return what makes a graph of a model of a kind."""
    # Imported when it is asked for: each needs a library that others do not.
    module = import_module(f"pipelines.packing.converters.{_CONVERTERS[kind]}")
    convert: Callable[[Job, pa.Table], Converted] = module.convert
    return convert


def check_file(job: Job) -> None:
    """Refuse a model's file that no sample would help to read.

    Raises:
        JobError: it is not there.
    """
    if job.converted is None:
        return
    kind, url = job.converted
    # A server's address; what it says is no help without rows.
    if kind == "remote":
        return
    if not files.exists(files.to_absolute(url)):
        raise JobError(f"{kind} {url}: there is no such file")
