"""The table of engines: a new one is a file in this folder, and its line below."""

from typing import TYPE_CHECKING

# Help lists engines, and a card takes longer to import than help takes in all.
if TYPE_CHECKING:
    from model_zoo.package.card import Form

# By name, the class `module:attribute`. Imported only when it is asked for: a library takes seconds.
ENGINES = {
    "torch": "model_zoo.engines.torch_engine:TorchEngine",
    "onnxruntime": "model_zoo.engines.onnx_runtime:OnnxRuntimeEngine",
    "openvino": "model_zoo.engines.openvino_engine:OpenVinoEngine",
    "tensorrt": "model_zoo.engines.tensorrt_engine:TensorRtEngine",
    "keras": "model_zoo.engines.keras_engine:make_engine",
    "litert": "model_zoo.engines.litert_engine:make_engine",
    "sklearn": "model_zoo.engines.sklearn_engine:make_engine",
    "xgboost": "model_zoo.engines.xgboost_engine:make_engine",
    "lightgbm": "model_zoo.engines.lightgbm_engine:make_engine",
    "remote": "model_zoo.engines.remote_engine:RemoteEngine",
}

# By the name of a library's own format, in cards, the engine that reads it.
ENGINES_OF_FORMS: dict["Form", str] = {
    "keras": "keras",
    "tflite": "litert",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "skops": "sklearn",
}
