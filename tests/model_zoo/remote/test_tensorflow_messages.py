"""Our tables write and read the bytes that published definitions do: these are what TensorFlow Serving's own package has written."""

from typing import Any

import pytest

from model_zoo.remote.tensorflow_messages import AVAILABLE, DATA_TYPES, MESSAGES

CONTENTS = {
    "tensor_content": b"c",
    "float_val": [0.5],
    "double_val": [0.25],
    "int_val": [1, -1],
    "string_val": [b"a", b""],
    "int64_val": [2, -2],
    "bool_val": [True, False],
    "half_val": [3],
    "uint32_val": [4],
    "uint64_val": [5],
}


def make(message: str, /, **fields: Any) -> Any:
    """Return a message of that kind."""
    return MESSAGES[message](**fields)


def make_shape(*sizes: int) -> Any:
    """Return the shape of a tensor."""
    return make("TensorShapeProto", dim=[make("Dim", size=size) for size in sizes])


def make_spec(**fields: Any) -> Any:
    """Return what names version 3 of a model."""
    return make("ModelSpec", name="n", version=make("Int64Value", value=3), **fields)


def make_info(name: str, dtype: int) -> Any:
    """Return what is told of an input or output."""
    info = make("TensorInfo", name=f"{name}:0", dtype=dtype, tensor_shape=make_shape(-1))
    return make("InfosEntry", key=name, value=info)


def make_signatures() -> Any:
    """Return one signature with one input and one output."""
    signature = make("SignatureDef", inputs=[make_info("x", 1)], outputs=[make_info("y", 9)])
    entry = make("SignaturesEntry", key="s", value=signature)
    return make("SignatureDefMap", signature_def=[entry])


def make_entry(name: str, **fields: Any) -> Any:
    """Return a tensor of two rows, by its name."""
    tensor = make("TensorProto", tensor_shape=make_shape(2), **fields)
    return make("TensorsEntry", key=name, value=tensor)


WRITTEN = [
    (
        make("TensorProto", dtype=1, tensor_shape=make_shape(2, 3), **CONTENTS),
        "0801120812020802120208032201632a040000003f3208000000000000d03f"
        "3a0b01ffffffffffffffffff014201614200520b02feffffffffffffffff015a020100"
        "6a0103820101048a010105",
    ),
    (
        make("TensorProto", dtype=9, tensor_shape=make("TensorShapeProto", unknown_rank=True)),
        "080912021801",
    ),
    (
        make(
            "PredictRequest",
            model_spec=make_spec(signature_name="s"),
            inputs=[make_entry("x", dtype=1, tensor_content=b"c")],
        ),
        "0a0a0a016e120208031a017312100a0178120b0801120412020802220163",
    ),
    (
        make(
            "PredictResponse",
            model_spec=make_spec(signature_name="s"),
            outputs=[make_entry("y", dtype=9, int64_val=[7, 8])],
        ),
        "0a110a0179120c080912041202080252020708120a0a016e120208031a0173",
    ),
    (
        make("GetModelMetadataRequest", model_spec=make_spec(), metadata_field=["signature_def"]),
        "0a070a016e12020803120d7369676e61747572655f646566",
    ),
    (
        make_signatures(),
        "0a3f0a0173123a0a1b0a017812160a03783a3010011a0d120b08ffffffffffffffffff01"
        "121b0a017912160a03793a3010091a0d120b08ffffffffffffffffff01",
    ),
    (
        make(
            "GetModelMetadataResponse",
            model_spec=make("ModelSpec", name="n"),
            metadata=[
                make("MetadataEntry", key="m", value=make("Any", type_url="t", value=b"v")),
            ],
        ),
        "0a030a016e120b0a016d12060a0174120176",
    ),
    # That package lacks a file that these need: by hand, from their published numbers.
    (make("GetModelStatusRequest", model_spec=make_spec()), "0a070a016e12020803"),
    (
        make(
            "GetModelStatusResponse",
            model_version_status=[make("ModelVersionStatus", version=3, state=30)],
        ),
        "0a040803101e",
    ),
]


@pytest.mark.parametrize(("message", "written"), WRITTEN)
def test_a_message_has_the_bytes_that_are_published(message: Any, written: str) -> None:
    assert message.SerializeToString(deterministic=True).hex() == written
    name = message.DESCRIPTOR.name
    assert MESSAGES[name].FromString(bytes.fromhex(written)) == message


def test_types_and_states_have_the_numbers_that_are_published() -> None:
    numbers = {name: data_type.number for name, data_type in DATA_TYPES.items()}
    assert numbers == {
        "DT_FLOAT": 1,
        "DT_DOUBLE": 2,
        "DT_INT32": 3,
        "DT_UINT8": 4,
        "DT_INT16": 5,
        "DT_INT8": 6,
        "DT_STRING": 7,
        "DT_INT64": 9,
        "DT_BOOL": 10,
        "DT_BFLOAT16": 14,
        "DT_UINT16": 17,
        "DT_HALF": 19,
        "DT_UINT32": 22,
        "DT_UINT64": 23,
    }
    assert AVAILABLE == 30
