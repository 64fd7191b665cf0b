"""The table of engines: a new one is a file in this folder, and its line below."""

# By name, the class `module:attribute`. Imported only when it is asked for: a library takes seconds.
ENGINES = {
    "torch": "model_zoo.engines.torch_engine:TorchEngine",
    "onnxruntime": "model_zoo.engines.onnx_runtime:OnnxRuntimeEngine",
}
