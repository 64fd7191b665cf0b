"""A `.tflite` file -> the file itself: a graph of it, quantised or not, would be another model.

It is read in a child here too, as a torn file ends the process that reads it; what it gives is compared with
LiteRT called in this process only when the child has survived it.
"""

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.engines.child.process import start_child
from model_zoo.engines.child.tflite_model import Model, Place
from model_zoo.steps.table import AnyStep
from pipelines.packing.converters.converted import Converted, OwnForm
from pipelines.packing.libraries import import_library
from storage import files

_MODULE = "model_zoo.engines.child.tflite_model"
_DTYPES = frozenset({"float32", "float64", "int32", "int64", "bool", "int8", "uint8", "int16"})


def convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    """Return the model in a file.

    Args:
        job: names the file.
        sample: not looked at.

    Raises:
        JobError: there is no such file, or it takes what is no numbers.
        ModelError: LiteRT does not read it.
    """
    import_library("ai_edge_litert", "litert")
    url = str(job.tflite)
    path = files.to_absolute(url)
    content = files.read(path)
    if content is None:
        raise JobError(f"tflite {url}: there is no such file")
    start_child(_MODULE, content, {}, threads=1, what=f"tflite {url}")
    model = Model(content)
    places = (*model.inputs, *model.outputs)
    _refuse_strange(places, url)
    return Converted(
        graph=None,
        # Of a quantised one the job's numbers, as they were before.
        dtypes={place.name: _find_dtype(place) for place in model.inputs},
        native=lambda rows, inputs: _interpret(content, inputs),
        library="LiteRT",
        own=OwnForm("tflite", content),
        lengths={place.name: place.shape[0] for place in model.inputs if place.shape},
        notes=tuple(_list_notes(model)),
    )


def _refuse_strange(places: tuple[Place, ...], url: str) -> None:
    names = [place.name for place in places]
    if len(set(names)) != len(names):
        raise JobError(f"tflite {url}: several of its inputs and outputs have one name: {names}")
    for place in places:
        if place.dtype.name not in _DTYPES:
            raise JobError(
                f"tflite {url}: {place.name!r} is {place.dtype.name}, and a table of scores has numbers"
            )


def _find_dtype(place: Place) -> str:
    return "float32" if place.is_quantised else place.dtype.name


def _list_notes(model: Model) -> list[str]:
    notes = ["its own file, as it is"]
    for place in (*model.inputs, *model.outputs):
        if place.is_quantised:
            scale, zero = place.scale, place.zero_point
            notes.append(
                f"{place.name} is {place.dtype.name}: numbers / {scale:g} + {zero}, as the file says"
            )
    return notes


def _interpret(content: bytes, inputs: Arrays) -> Arrays:
    """Return what LiteRT gives row by row, with nothing beside a row that it could depend on."""
    model = Model(content)
    rows = len(next(iter(inputs.values())))
    computed = []
    for row in range(rows):
        one = {name: array[row : row + 1] for name, array in inputs.items()}
        computed.append(model(one))
    outputs = {}
    for place in model.outputs:
        arrays = [of_row[place.name] for of_row in computed]
        outputs[place.name] = np.concatenate(arrays)
    return outputs
