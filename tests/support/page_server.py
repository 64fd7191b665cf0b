"""Fork programs from a process that has imported what models come from, too.

It serves the scripts and programs of the pages about models: each of them would import skops, transformers or torchvision anew, which
takes longer than what it does with them. It is a program of `tests.support.fork_server`, forked itself, so torch and Beam are there.
"""

from contextlib import suppress
import importlib
import os
import sys

from tests.support.fork_server import become_program
from tests.support.forking import serve_programs

_LIBRARIES = (
    "keras",
    "lightgbm",
    "onnxruntime",
    "onnxscript",
    "skl2onnx",
    "skops.io",
    "torch._dynamo",
    "torch_geometric.loader",
    "torch_geometric.nn.models",
    "torchvision",
    "transformers.models.bert.modeling_bert",
    "transformers.pipelines",
    "xgboost",
)


def main(address: str) -> None:
    """Import the libraries, and serve."""
    # As the page's own script says before it imports Keras.
    os.environ["KERAS_BACKEND"] = "torch"
    for name in _LIBRARIES:
        # A section of a library that is not there is skipped.
        with suppress(ImportError):
            importlib.import_module(name)
    serve_programs(address, become_program)


if __name__ == "__main__":
    main(sys.argv[1])
