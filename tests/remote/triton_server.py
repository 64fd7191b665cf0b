"""Triton on the loopback address, as it comes in the wheel of pytriton: the server, and its backend for models in Python."""

import os
from pathlib import Path
import shutil
import sys
import sysconfig

from tests.remote.environments import TRITON, server_python
from tests.remote.servers import HOST, SERVED, RealServer
from tests.support.ports import free_port

# Of one request, which Triton tells.
MOST_ROWS = 256
_CONFIG = """
name: "churn"
backend: "python"
max_batch_size: {most_rows}
input [{{ name: "features", data_type: TYPE_FP32, dims: [{columns}] }}]
output [{{ name: "probability", data_type: TYPE_FP32, dims: [1] }}]
instance_group [{{ kind: KIND_CPU, count: 1 }}]
"""


def make_triton(folder: Path, fitted: Path, columns: int) -> RealServer:
    """Return Triton with version 3 of `churn`.

    Args:
        folder: where its models go, and its log.
        fitted: file of `weights` and `bias`.
        columns: of the input `features`.
    """
    own = next(server_python(TRITON).parents[1].glob("lib/python*/site-packages"))
    triton = own / "pytriton/tritonserver"
    models = folder / "models"
    _write_model(models / "churn", fitted, columns)
    backends = _copy_backends(triton, folder)
    http_port, grpc_port = free_port(), free_port()
    places = ["--model-repository", str(models), "--backend-directory", str(backends)]
    http = ["--http-address", HOST, "--http-port", str(http_port)]
    grpc = ["--grpc-address", HOST, "--grpc-port", str(grpc_port)]
    # Its backend needs those of the wheel, and the interpreter as a library, which lies with ours.
    libraries = [sysconfig.get_config_var("LIBDIR"), str(own / "nvidia_pytriton.libs")]
    program = str(triton / "bin/tritonserver")
    return RealServer(
        http_port,
        grpc_port,
        [program, *places, *http, *grpc, "--allow-metrics", "false"],
        {"LD_LIBRARY_PATH": os.pathsep.join(libraries), "TRITON_LIBRARIES": str(own)},
        "/v2/health/ready",
        folder / "log",
    )


def _write_model(folder: Path, fitted: Path, columns: int) -> None:
    own = folder / "3"
    own.mkdir(parents=True)
    shutil.copy(SERVED / "triton_model.py", own / "model.py")
    shutil.copy(SERVED / "network.py", own)
    shutil.copy(fitted, own / "fitted.json")
    config = _CONFIG.format(columns=columns, most_rows=MOST_ROWS)
    (folder / "config.pbtxt").write_text(config)


def _copy_backends(triton: Path, folder: Path) -> Path:
    """Return a folder with the backend and the program that it starts for a model: there is one for each Python."""
    backends = folder / "backends"
    shutil.copytree(triton / "backends", backends)
    major, minor, *_ = sys.version_info
    stub = triton / f"python_backend_stubs/{major}.{minor}/triton_python_backend_stub"
    shutil.copy(stub, backends / "python")
    return backends
