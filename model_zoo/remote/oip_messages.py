"""Messages of the Open Inference Protocol, version 2, as far as we send and read them.

The protocol is published at https://github.com/kserve/open-inference-protocol. What Triton adds to
it (`ModelConfig`) says how many rows a request may have.
"""

from configs.suggest import nearest
from model_zoo.remote.failures import WrongError
from model_zoo.remote.messages import make_messages

# By name: which dtype of ours a datatype of the protocol is.
DTYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BF16": "bfloat16",
    "BYTES": "bytes",
}
DATATYPES = {dtype: datatype for datatype, dtype in DTYPES.items()}
# Where the typed contents of a datatype stand; FP16 and BF16 have none.
CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
# What protobuf keeps the elements of these fields in; the contents of texts are bytes.
CONTENT_DTYPES = {
    "bool_contents": "bool",
    "int_contents": "int32",
    "int64_contents": "int64",
    "uint_contents": "uint32",
    "uint64_contents": "uint64",
    "fp32_contents": "float32",
    "fp64_contents": "float64",
}
SERVICE = "inference.GRPCInferenceService"

_TENSOR = {
    "name": (1, "string"),
    "datatype": (2, "string"),
    "shape": (3, "repeated int64"),
    "contents": (5, "InferTensorContents"),
}
TABLES = {
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {
        "name": (1, "string"),
        "version": (2, "string"),
        "extensions": (3, "repeated string"),
    },
    "ModelMetadataRequest": {"name": (1, "string"), "version": (2, "string")},
    "TensorMetadata": {
        "name": (1, "string"),
        "datatype": (2, "string"),
        "shape": (3, "repeated int64"),
    },
    "ModelMetadataResponse": {
        "name": (1, "string"),
        "versions": (2, "repeated string"),
        "platform": (3, "string"),
        "inputs": (4, "repeated TensorMetadata"),
        "outputs": (5, "repeated TensorMetadata"),
    },
    "ModelConfigRequest": {"name": (1, "string"), "version": (2, "string")},
    "ModelConfig": {"name": (1, "string"), "max_batch_size": (4, "int32")},
    "ModelConfigResponse": {"config": (1, "ModelConfig")},
    "InferTensorContents": {
        "bool_contents": (1, "repeated bool"),
        "int_contents": (2, "repeated int32"),
        "int64_contents": (3, "repeated int64"),
        "uint_contents": (4, "repeated uint32"),
        "uint64_contents": (5, "repeated uint64"),
        "fp32_contents": (6, "repeated float"),
        "fp64_contents": (7, "repeated double"),
        "bytes_contents": (8, "repeated bytes"),
    },
    "InferTensor": _TENSOR,
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "inputs": (5, "repeated InferTensor"),
        "raw_input_contents": (7, "repeated bytes"),
    },
    "ModelInferResponse": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "outputs": (5, "repeated InferTensor"),
        "raw_output_contents": (6, "repeated bytes"),
    },
}
MESSAGES = make_messages("inference", TABLES)


def read_datatype(datatype: str, name: str) -> str:
    """Return the dtype that a datatype of the protocol is.

    Args:
        datatype: as the server writes it.
        name: of what it is, for messages.

    Raises:
        WrongError: the protocol has none such.
    """
    if datatype not in DTYPES:
        raise WrongError(f"{name} is of datatype {datatype!r}{nearest(datatype, sorted(DTYPES))}")
    return DTYPES[datatype]
