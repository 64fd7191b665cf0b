"""scikit-learn itself, which scores what has no exact graph: texts, forests of several numbers."""

from model_zoo.engines.engine import Engine
from model_zoo.engines.native_engine import NativeEngine


def make_engine() -> Engine:
    """Return the engine."""
    return NativeEngine(
        name="sklearn",
        form="skops",
        libraries=("sklearn", "skops"),
        distributions=("scikit-learn",),
        extra="sklearn",
        child_module="model_zoo.engines.child.sklearn_model",
    )
