"""LightGBM, which scores its own trees where ONNX does not say all of them, or where a job asks for it."""

from model_zoo.engines.engine import Engine
from model_zoo.engines.native_engine import NativeEngine


def make_engine() -> Engine:
    """Return the engine."""
    return NativeEngine(
        name="lightgbm",
        form="lightgbm",
        libraries=("lightgbm",),
        distributions=("lightgbm",),
        extra="trees",
        child_module="model_zoo.engines.child.lightgbm_model",
    )
