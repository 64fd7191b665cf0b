"""Keras 3 on torch, which scores `.keras` files without TensorFlow."""

from model_zoo.engines.engine import Engine
from model_zoo.engines.native_engine import NativeEngine


def make_engine() -> Engine:
    """Return the engine."""
    return NativeEngine(
        name="keras",
        form="keras",
        libraries=("keras", "torch"),
        distributions=("keras",),
        extra="keras",
        child_module="model_zoo.engines.child.keras_model",
    )
