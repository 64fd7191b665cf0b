"""Messages of TensorFlow Serving, as far as we send and read them.

They are published at https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis, and
tensors at https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/framework. An entry of a
map is a message of its own, as protobuf writes it.
"""

from typing import NamedTuple

from model_zoo.remote.failures import WrongError
from model_zoo.remote.messages import make_messages


class DataType(NamedTuple):
    """A kind of tensor.

    Attributes:
        dtype: in our words.
        number: in messages.
        field: where its values stand, unless they come as bytes.
        content_dtype: what protobuf keeps these values in; halves come as the bits that they are.
    """

    dtype: str
    number: int
    field: str
    content_dtype: str


DATA_TYPES = {
    "DT_FLOAT": DataType("float32", 1, "float_val", "float32"),
    "DT_DOUBLE": DataType("float64", 2, "double_val", "float64"),
    "DT_INT32": DataType("int32", 3, "int_val", "int32"),
    "DT_UINT8": DataType("uint8", 4, "int_val", "int32"),
    "DT_INT16": DataType("int16", 5, "int_val", "int32"),
    "DT_INT8": DataType("int8", 6, "int_val", "int32"),
    "DT_STRING": DataType("bytes", 7, "string_val", "object"),
    "DT_INT64": DataType("int64", 9, "int64_val", "int64"),
    "DT_BOOL": DataType("bool", 10, "bool_val", "bool"),
    "DT_BFLOAT16": DataType("bfloat16", 14, "half_val", "int32"),
    "DT_UINT16": DataType("uint16", 17, "int_val", "int32"),
    "DT_HALF": DataType("float16", 19, "half_val", "int32"),
    "DT_UINT32": DataType("uint32", 22, "uint32_val", "uint32"),
    "DT_UINT64": DataType("uint64", 23, "uint64_val", "uint64"),
}
BY_DTYPE = {data_type.dtype: data_type for data_type in DATA_TYPES.values()}
BY_NUMBER = {data_type.number: data_type for data_type in DATA_TYPES.values()}
# The state of a version that answers.
AVAILABLE = 30

_ENTRY_OF_TENSORS = {"key": (1, "string"), "value": (2, "TensorProto")}
TABLES = {
    "Int64Value": {"value": (1, "int64")},
    "Any": {"type_url": (1, "string"), "value": (2, "bytes")},
    "ModelSpec": {
        "name": (1, "string"),
        "version": (2, "Int64Value"),
        "signature_name": (3, "string"),
    },
    "Dim": {"size": (1, "int64")},
    "TensorShapeProto": {"dim": (2, "repeated Dim"), "unknown_rank": (3, "bool")},
    "TensorProto": {
        "dtype": (1, "enum"),
        "tensor_shape": (2, "TensorShapeProto"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "repeated float"),
        "double_val": (6, "repeated double"),
        "int_val": (7, "repeated int32"),
        "string_val": (8, "repeated bytes"),
        "int64_val": (10, "repeated int64"),
        "bool_val": (11, "repeated bool"),
        "half_val": (13, "repeated int32"),
        "uint32_val": (16, "repeated uint32"),
        "uint64_val": (17, "repeated uint64"),
    },
    "TensorsEntry": _ENTRY_OF_TENSORS,
    "PredictRequest": {
        "model_spec": (1, "ModelSpec"),
        "inputs": (2, "repeated TensorsEntry"),
    },
    "PredictResponse": {
        "outputs": (1, "repeated TensorsEntry"),
        "model_spec": (2, "ModelSpec"),
    },
    "GetModelStatusRequest": {"model_spec": (1, "ModelSpec")},
    "ModelVersionStatus": {"version": (1, "int64"), "state": (2, "enum")},
    "GetModelStatusResponse": {"model_version_status": (1, "repeated ModelVersionStatus")},
    "GetModelMetadataRequest": {
        "model_spec": (1, "ModelSpec"),
        "metadata_field": (2, "repeated string"),
    },
    "MetadataEntry": {"key": (1, "string"), "value": (2, "Any")},
    "GetModelMetadataResponse": {
        "model_spec": (1, "ModelSpec"),
        "metadata": (2, "repeated MetadataEntry"),
    },
    "TensorInfo": {
        "name": (1, "string"),
        "dtype": (2, "enum"),
        "tensor_shape": (3, "TensorShapeProto"),
    },
    "InfosEntry": {"key": (1, "string"), "value": (2, "TensorInfo")},
    "SignatureDef": {
        "inputs": (1, "repeated InfosEntry"),
        "outputs": (2, "repeated InfosEntry"),
    },
    "SignaturesEntry": {"key": (1, "string"), "value": (2, "SignatureDef")},
    "SignatureDefMap": {"signature_def": (1, "repeated SignaturesEntry")},
}
MESSAGES = make_messages("tensorflow", TABLES)


def read_data_type(number: int, name: str) -> DataType:
    """Return the kind of a tensor.

    Args:
        number: as a message has it.
        name: of the tensor, for messages.

    Raises:
        WrongError: there is none of this number, or none that a batch of rows may have.
    """
    if number not in BY_NUMBER:
        raise WrongError(f"{name} is of TensorFlow's type {number}, which no batch of rows has")
    return BY_NUMBER[number]
