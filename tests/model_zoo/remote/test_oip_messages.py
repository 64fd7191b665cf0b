"""Our tables write and read the bytes that published definitions do: these are what MLServer's own package has written."""

from typing import Any

import pytest

from model_zoo.remote.oip_messages import MESSAGES
from tests.remote.oip_grpc_server import make, tensor

CONTENTS = {
    "bool_contents": [True, False],
    "int_contents": [1, -1],
    "int64_contents": [2, -2],
    "uint_contents": [3],
    "uint64_contents": [4],
    "fp32_contents": [0.5],
    "fp64_contents": [0.25],
    "bytes_contents": [b"a", b""],
}
ENVELOPE = {"model_name": "n", "model_version": "v", "id": "i"}


def filled(name: str, *shape: int) -> Any:
    """Return a tensor with values of every kind."""
    contents = make("InferTensorContents", **CONTENTS)
    return make("InferTensor", name=name, datatype="FP32", shape=shape, contents=contents)


WRITTEN = [
    (
        make("ServerMetadataResponse", name="n", version="v", extensions=["e", "f"]),
        "0a016e1201761a01651a0166",
    ),
    (make("ModelMetadataRequest", name="n", version="v"), "0a016e120176"),
    (
        make(
            "ModelMetadataResponse",
            name="n",
            versions=["1", "2"],
            platform="p",
            inputs=[tensor("x", "FP32", -1, 3)],
            outputs=[tensor("y", "FP64", -1)],
        ),
        "0a016e1201311201321a017022160a01781204465033321a0bffffffffffffffffff0103"
        "2a150a01791204465036341a0affffffffffffffffff01",
    ),
    (
        make(
            "ModelInferRequest",
            inputs=[filled("x", 2, 3)],
            raw_input_contents=[b"r", b"s"],
            **ENVELOPE,
        ),
        "0a016e1201761a01692a480a01781204465033321a0202032a390a020100120b01ffffffffffffffffff01"
        "1a0b02feffffffffffffffff012201032a010432040000003f3a08000000000000d03f4201614200"
        "3a01723a0173",
    ),
    (
        make(
            "ModelInferResponse", outputs=[filled("y", 2)], raw_output_contents=[b"r"], **ENVELOPE
        ),
        "0a016e1201761a01692a470a01791204465033321a01022a390a020100120b01ffffffffffffffffff01"
        "1a0b02feffffffffffffffff012201032a010432040000003f3a08000000000000d03f4201614200320172",
    ),
    # Triton's addition, which that package does not have: by hand, from its published numbers.
    (make("ModelConfigRequest", name="n", version="v"), "0a016e120176"),
    (
        make("ModelConfigResponse", config=make("ModelConfig", name="n", max_batch_size=8)),
        "0a050a016e2008",
    ),
]


@pytest.mark.parametrize(("message", "written"), WRITTEN)
def test_a_message_has_the_bytes_that_are_published(message: Any, written: str) -> None:
    assert message.SerializeToString(deterministic=True).hex() == written
    name = message.DESCRIPTOR.name
    assert MESSAGES[name].FromString(bytes.fromhex(written)) == message
