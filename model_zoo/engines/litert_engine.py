"""LiteRT, which computes `.tflite` files on a CPU, quantised ones among them."""

from model_zoo.engines.engine import Engine
from model_zoo.engines.native_engine import NativeEngine


def make_engine() -> Engine:
    """Return the engine."""
    return NativeEngine(
        name="litert",
        form="tflite",
        libraries=("ai_edge_litert",),
        distributions=("ai-edge-litert",),
        extra="litert",
        child_module="model_zoo.engines.child.tflite_model",
    )
