"""The table of engines: a new one is a file in this folder, and its line below."""

from importlib import import_module
from importlib.util import find_spec

from configs.errors import ModelError
from configs.suggest import nearest
from model_zoo.engines.engine import Engine

# By name, the class `module:attribute`. Imported only when it is asked for: a library takes seconds.
ENGINES = {"torch": "model_zoo.engines.torch_engine:TorchEngine"}


def find_engine(name: str) -> Engine:
    """Return an engine that can compute here.

    Raises:
        ModelError: there is no engine of this name, or its library is not installed.
    """
    if name not in ENGINES:
        hint = nearest(name, sorted(ENGINES))
        raise ModelError(f"engine {name!r} is unknown{hint}")
    place = ENGINES[name]
    module, _, attribute = place.partition(":")
    make_engine = getattr(import_module(module), attribute)
    engine: Engine = make_engine()
    _check_libraries(engine)
    return engine


def _check_libraries(engine: Engine) -> None:
    # Looked for and not imported: that is the engine's own work, when it loads a model.
    for library in engine.libraries:
        if find_spec(library) is None:
            raise ModelError(
                f"engine {engine.name} needs {library}, which is not installed here; "
                f"install its extra where workers run: pip install '.[{engine.extra}]'"
            )
