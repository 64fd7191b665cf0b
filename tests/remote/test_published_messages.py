"""Our short tables of a protocol's fields agree with what is published, as servers' own packages have compiled it."""

import json
from pathlib import Path
import subprocess

import pytest

from model_zoo.remote.oip_messages import TABLES
from tests.remote.environments import KSERVE, MLSERVER, server_python

pytestmark = pytest.mark.program

PROGRAM = Path(__file__).with_name("published.py")
OIP_FILES = {
    MLSERVER: "mlserver/grpc/dataplane_pb2.py",
    KSERVE: "kserve/protocol/grpc/grpc_predict_v2_pb2.py",
}
# The definition of a tensor stands inside of each message that has some; ours is one for all.
OIP_NAMES = {
    "InferTensor": ("ModelInferRequest.InferInputTensor", "ModelInferResponse.InferOutputTensor"),
    "TensorMetadata": ("ModelMetadataResponse.TensorMetadata",),
}
# Triton's addition, which neither package has.
OF_TRITON = {"ModelConfigRequest", "ModelConfig", "ModelConfigResponse"}


def read_published(server: str, *files: str) -> dict[str, dict[str, list]]:
    """Return a server's messages, by full name: number and type of each field."""
    command = [str(server_python(server)), str(PROGRAM), *files]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return json.loads(said)


@pytest.mark.parametrize("server", OIP_FILES)
def test_the_open_inference_protocol_is_as_published(server: str) -> None:
    published = read_published(server, OIP_FILES[server])
    own_names = {
        theirs.rpartition(".")[2]: ours for ours, names in OIP_NAMES.items() for theirs in names
    }
    for message in TABLES.keys() - OF_TRITON:
        for theirs in OIP_NAMES.get(message, (message,)):
            fields = published[f"inference.{theirs}"]
            for field, described in TABLES[message].items():
                number, kind = fields[field]
                label, _, type_name = kind.rpartition(" ")
                own_kind = f"{label} {own_names.get(type_name, type_name)}".strip()
                assert (number, own_kind) == described, f"{theirs}.{field}"
