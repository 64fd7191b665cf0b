"""TorchServe on the loopback address, with an archive that is made for it; it needs Java 17."""

from collections.abc import Sequence
import os
from pathlib import Path
import subprocess

import torch

from tests.remote.environments import TORCHSERVE, server_python
from tests.remote.servers import HOST, SERVED, RealServer
from tests.support.builders import tiny_network
from tests.support.ports import free_port

_ARCHIVE = "from model_archiver import model_packaging; model_packaging.generate_model_archive()"


def make_torchserve(folder: Path, fitted: Path) -> RealServer:
    """Return TorchServe with version 3 of `churn` and of `tiny`, which answer in its JSON envelope.

    Args:
        folder: where its files go, its archive of the model, and its log.
        fitted: file of `weights` and `bias`, named `fitted.json`.
    """
    python = server_python(TORCHSERVE)
    folder.mkdir(parents=True, exist_ok=True)
    _archive(python, folder, "churn", "torchserve_handler.py", [fitted, SERVED / "network.py"])
    layers = folder / "layers.pt"
    torch.save(tiny_network().state_dict(), layers)
    _archive(python, folder, "tiny", "torchserve_layers.py", [layers])
    http_port, grpc_port = free_port(), free_port()
    config = _write_config(folder, http_port, grpc_port)
    start = ["-m", "ts.model_server", "--foreground", "--disable-token-auth", "--ncs"]
    models = ["--model-store", str(folder), "--models", "churn=churn.mar", "tiny=tiny.mar"]
    # Its workers are started as whatever `python` is.
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    return RealServer(
        http_port,
        grpc_port,
        [str(python), *start, *models, "--ts-config", str(config)],
        {"PATH": path, "TEMP": str(folder)},
        "/ping",
        folder / "log",
    )


def _archive(
    python: Path, folder: Path, name: str, handler_file: str, files: Sequence[Path]
) -> None:
    """Make a model's archive."""
    extra = ",".join(map(str, files))
    named = ["--model-name", name, "--version", "3", "--export-path", str(folder)]
    handler = ["--handler", str(SERVED / handler_file), "--extra-files", extra]
    command = [str(python), "-c", _ARCHIVE, *named, *handler]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _write_config(folder: Path, http_port: int, grpc_port: int) -> Path:
    settings = {
        "inference_address": f"http://{HOST}:{http_port}",
        "management_address": f"http://{HOST}:{free_port()}",
        "metrics_address": f"http://{HOST}:{free_port()}",
        "grpc_inference_port": grpc_port,
        "grpc_management_port": free_port(),
        "default_workers_per_model": 1,
        "service_envelope": "json",
        "disable_system_metrics": "true",
    }
    config = folder / "config.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return config
