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
    dtypes: dict[str, str] = {}
    lengths: dict[str, int] = {}
    for place in model.inputs:
        dtypes[place.name] = _find_dtype(place)
        # Of a number a row has no places.
        if place.shape:
            lengths[place.name] = place.shape[0]
    notes = _list_notes(model)
    return Converted(
        graph=None,
        dtypes=dtypes,
        native=lambda rows, inputs: _interpret(content, inputs),
        library="LiteRT",
        own=OwnForm("tflite", content),
        lengths=lengths,
        notes=tuple(notes),
    )


def _refuse_strange(places: tuple[Place, ...], url: str) -> None:
    names = [place.name for place in places]
    different = set(names)
    if len(different) != len(names):
        raise JobError(f"tflite {url}: several of its inputs and outputs have one name: {names}")
    for place in places:
        if place.dtype.name not in _DTYPES:
            raise JobError(
                f"tflite {url}: {place.name!r} is {place.dtype.name}, and a table of scores has numbers"
            )


def _find_dtype(place: Place) -> str:
    # Of a quantised one the job's numbers, as they were before.
    if place.is_quantised:
        return "float32"
    return place.dtype.name


def _list_notes(model: Model) -> list[str]:
    notes = ["its own file, as it is"]
    for place in (*model.inputs, *model.outputs):
        if place.is_quantised:
            rule = f"numbers / {place.scale:g} + {place.zero_point}"
            note = f"{place.name} is {place.dtype.name}: {rule}, as the file says"
            notes.append(note)
    return notes


def _interpret(content: bytes, inputs: Arrays) -> Arrays:
    """Return what LiteRT gives row by row, with nothing beside a row that it could depend on."""
    model = Model(content)
    first = next(iter(inputs.values()))
    computed = []
    for row in range(len(first)):
        behind = row + 1
        one = {name: array[row:behind] for name, array in inputs.items()}
        outputs_of_row = model(one)
        computed.append(outputs_of_row)
    outputs = {}
    for place in model.outputs:
        arrays = [of_row[place.name] for of_row in computed]
        outputs[place.name] = np.concatenate(arrays)
    return outputs
