"""Makes message classes of protobuf from short tables of fields.

A protocol's published definitions hold much that no batch needs, and bring packages that need other
versions of what we use. A table has the fields that we send and read, in their published numbers;
whatever else a server sends is skipped, as protobuf has it. Tests compare the tables with what is
published.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

# By the message's name, by the field's name: its number, and `type` or `repeated type`.
Tables: TypeAlias = Mapping[str, Mapping[str, tuple[int, str]]]

_TYPES = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    # Read as the number that it is on the wire: its words are in tables of ours.
    "enum": FieldDescriptorProto.TYPE_INT32,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
}


def make_messages(package: str, tables: Tables) -> dict[str, Any]:
    """Return a class for each message, by its name.

    Args:
        package: the protocol's own name for its messages, as in `inference.ModelInferRequest`.
        tables: fields of each message; the type of a field may be the name of another one.

    >>> messages = make_messages("example", {"Point": {"x": (1, "int64"), "y": (2, "int64")}})
    >>> messages["Point"](x=3, y=4).SerializeToString().hex()
    '08031004'
    """
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in tables.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            described = _describe_field(package, field, number, kind)
            message.field.append(described)
    # Of its own: a library that is imported, too, may have put the published ones into the common one.
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    classes = {}
    for name in tables:
        descriptor = pool.FindMessageTypeByName(f"{package}.{name}")
        classes[name] = GetMessageClass(descriptor)
    return classes


def _describe_field(package: str, name: str, number: int, kind: str) -> FieldDescriptorProto:
    label, _, type_name = kind.rpartition(" ")
    field = FieldDescriptorProto(name=name, number=number)
    is_repeated = label == "repeated"
    field.label = (
        FieldDescriptorProto.LABEL_REPEATED if is_repeated else FieldDescriptorProto.LABEL_OPTIONAL
    )
    if type_name in _TYPES:
        field.type = _TYPES[type_name]
        return field
    field.type = FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".{package}.{type_name}"
    return field
