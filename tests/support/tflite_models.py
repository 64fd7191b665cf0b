"""Files of LiteRT, made by its own schema: a linear layer, in float32 and in integers."""

from typing import Any

import numpy as np


def linear_model(weights: np.ndarray, rows: int = 0) -> bytes:
    """`logit = x @ weights`; of any number of rows, or of exactly so many."""
    from ai_edge_litert import schema_py_generated as schema

    taken, given = weights.shape
    transposed = np.ascontiguousarray(weights.T, np.float32)
    buffers = [
        _buffer(schema),
        _buffer(schema, transposed),
        _buffer(schema, np.zeros(given, np.float32)),
    ]
    kind = schema.TensorType.FLOAT32
    tensors = [
        _tensor(schema, "serving_default_x:0", kind, 0, taken, rows),
        _tensor(schema, "weights", kind, 1, taken, given),
        _tensor(schema, "bias", kind, 2, None, given),
        _tensor(schema, "logit", kind, 0, given, rows),
    ]
    options = schema.FullyConnectedOptionsT()
    name = "FULLY_CONNECTED"
    return _pack(schema, buffers, tensors, ([0, 1, 2], [3]), name, options, rows)


def quantised_model(scale: float, zero_point: int, negative: float) -> bytes:
    """`y = x where x > 0, else negative * x`, of integers that stand for numbers."""
    from ai_edge_litert import schema_py_generated as schema

    kind = schema.TensorType.INT8
    tensors = []
    for name in ("x", "y"):
        tensor = _tensor(schema, name, kind, 0, 3, 0)
        quantisation = schema.QuantizationParametersT()
        quantisation.scale = [scale]
        quantisation.zeroPoint = [zero_point]
        tensor.quantization = quantisation
        tensors.append(tensor)
    options = schema.LeakyReluOptionsT()
    options.alpha = negative
    return _pack(schema, [_buffer(schema)], tensors, ([0], [1]), "LEAKY_RELU", options, 0)


def _buffer(schema: Any, numbers: np.ndarray | None = None) -> Any:
    buffer = schema.BufferT()
    if numbers is not None:
        buffer.data = np.frombuffer(numbers.tobytes(), np.uint8)
    return buffer


def _tensor(schema: Any, name: str, kind: int, buffer: int, width: int | None, rows: int) -> Any:
    tensor = schema.TensorT()
    tensor.name = name
    tensor.type = kind
    tensor.buffer = buffer
    if width is None:
        tensor.shape = [rows]
    elif name == "weights":
        tensor.shape = [rows, width]
    else:
        tensor.shape = [rows or 1, width]
        tensor.shapeSignature = [rows or -1, width]
    return tensor


def _pack(
    schema: Any,
    buffers: list[Any],
    tensors: list[Any],
    places: tuple[list[int], list[int]],
    operator: str,
    options: Any,
    rows: int,
) -> bytes:
    import flatbuffers

    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = code.builtinCode
    code.version = 2 if operator == "LEAKY_RELU" else 1
    operation = schema.OperatorT()
    operation.inputs, operation.outputs = places
    operation.builtinOptions = options
    operation.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = tensors, [operation]
    graph.inputs, graph.outputs = [0], [len(tensors) - 1]
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
