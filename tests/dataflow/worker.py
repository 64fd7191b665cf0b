"""What a worker of the service does with a staged job, outside the repository: `python worker.py PIPELINE_PROTO`, in an environment of its own.

Imports every module that workers may need, unpickles the job's functions, runs the graph in this process, and prints what it found.
"""

import importlib
import json
import pkgutil
import sys

from apache_beam.internal import pickler
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

_ROOMS = ("configs", "model_zoo", "storage", "transforms")
_IN_PROCESS = "beam:env:embedded_python:v1"


def main(path: str) -> None:
    with open(path, "rb") as file:
        graph = beam_runner_api_pb2.Pipeline.FromString(file.read())
    places = {room: str(importlib.import_module(room).__file__) for room in _ROOMS}
    modules = [
        m.name
        for room in _ROOMS
        for m in pkgutil.walk_packages([places[room].rpartition("/")[0]], f"{room}.")
    ]
    for name in modules:
        importlib.import_module(name)
    functions = [_module(f) for f in _functions(graph)]
    for environment in graph.components.environments.values():
        environment.urn, environment.payload = _IN_PROCESS, b""
    state = (
        FnApiRunner()
        .run_via_runner_api(graph, PipelineOptions(["--no_save_main_session"]))
        .wait_until_finish()
    )
    print(
        json.dumps({"places": places, "modules": modules, "functions": functions, "state": state})
    )


def _functions(graph: beam_runner_api_pb2.Pipeline) -> list[object]:
    payloads = [
        t.spec.payload
        for t in graph.components.transforms.values()
        if t.spec.urn == "beam:transform:pardo:v1"
    ]
    functions = [beam_runner_api_pb2.ParDoPayload.FromString(p).do_fn for p in payloads]
    return [
        pickler.loads(f.payload)[0]
        for f in functions
        if f.urn == "beam:dofn:pickled_python_info:v1"
    ]


def _module(function: object) -> str:
    """Where a DoFn's class was written, or the plain function that Beam has made one of."""
    plain = getattr(function, "_fn", None)
    if plain is None:
        return type(function).__module__
    return str(getattr(plain, "_argspec_fn", plain).__module__)  # what `beam.Map` wraps


if __name__ == "__main__":
    main(sys.argv[1])
