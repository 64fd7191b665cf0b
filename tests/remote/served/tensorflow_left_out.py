"""Makes up for the one file that the package of TensorFlow's compiled messages forgot: codes of errors, of which only OK is told here."""

import sys
from types import ModuleType

from google.protobuf import descriptor_pb2, descriptor_pool

_PLACE = "tensorflow.tsl.protobuf"
_NAME = "error_codes"


def add_error_codes():
    """Let `tensorflow_serving.apis.get_model_status_pb2` be imported; call it before."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{_PLACE.replace('.', '/')}/{_NAME}.proto",
        package="tensorflow.error",
        syntax="proto3",
    )
    file.enum_type.add(name="Code").value.add(name="OK", number=0)
    module = ModuleType(f"{_PLACE}.{_NAME}_pb2")
    module.DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    for name in ("tensorflow.tsl", _PLACE):
        sys.modules[name] = ModuleType(name)
    sys.modules[module.__name__] = module
    setattr(sys.modules[_PLACE], f"{_NAME}_pb2", module)
