"""Our short tables of a protocol's fields agree with what is published, as servers' own packages have compiled it."""

import json
from pathlib import Path
import subprocess

import pytest

from model_zoo.remote import oip_messages, tensorflow_messages
from model_zoo.remote.messages import Tables
from tests.remote.environments import KSERVE, MLSERVER, TENSORFLOW, server_python

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
TENSORFLOW_FILES = (
    "google/protobuf/any_pb2.py",
    "google/protobuf/wrappers_pb2.py",
    "tensorflow/core/framework/tensor_pb2.py",
    "tensorflow/core/framework/tensor_shape_pb2.py",
    "tensorflow/core/protobuf/meta_graph_pb2.py",
    "tensorflow_serving/apis/get_model_metadata_pb2.py",
    "tensorflow_serving/apis/model_pb2.py",
    "tensorflow_serving/apis/predict_pb2.py",
)
TENSORFLOW_NAMES = {
    "Dim": ("TensorShapeProto.Dim",),
    "InfosEntry": ("SignatureDef.InputsEntry", "SignatureDef.OutputsEntry"),
    "MetadataEntry": ("GetModelMetadataResponse.MetadataEntry",),
    "SignaturesEntry": ("SignatureDefMap.SignatureDefEntry",),
    "TensorsEntry": ("PredictRequest.InputsEntry", "PredictResponse.OutputsEntry"),
}
# Their file lacks one that it needs; the stand-in, which makes up for it, answers in these.
OF_STATUS = {"GetModelStatusRequest", "GetModelStatusResponse", "ModelVersionStatus"}


def read_published(server: str, *files: str) -> dict[str, dict[str, list]]:
    """Return a server's messages, by name without their package: number and type of each field."""
    command = [str(server_python(server)), str(PROGRAM), *files]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return json.loads(said)


def compare(
    tables: Tables, published: dict[str, dict[str, list]], names: dict[str, tuple[str, ...]]
) -> None:
    """Check that each field of ours is published with that number and type.

    Args:
        tables: ours.
        published: theirs.
        names: of theirs, by our name, where they differ.
    """
    own_names = {theirs: ours for ours, all_ in names.items() for theirs in all_}
    for message, described in tables.items():
        for theirs in names.get(message, (message,)):
            fields = published[theirs]
            for field, expected in described.items():
                number, kind = fields[field]
                label, _, type_name = kind.rpartition(" ")
                own_kind = f"{label} {own_names.get(type_name, type_name)}".strip()
                assert (number, own_kind) == expected, f"{theirs}.{field}"


def without(tables: Tables, left_out: set[str]) -> Tables:
    return {name: fields for name, fields in tables.items() if name not in left_out}


@pytest.mark.parametrize("server", OIP_FILES)
def test_the_open_inference_protocol_is_as_published(server: str) -> None:
    published = read_published(server, OIP_FILES[server])
    compare(without(oip_messages.TABLES, OF_TRITON), published, OIP_NAMES)


def test_tensorflow_serving_is_as_published() -> None:
    published = read_published(TENSORFLOW, *TENSORFLOW_FILES)
    compare(without(tensorflow_messages.TABLES, OF_STATUS), published, TENSORFLOW_NAMES)
