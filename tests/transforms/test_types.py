"""Beam refuses a wrong connection when the graph is built, because every `expand` says what goes in and what comes out."""

from collections.abc import Callable
from functools import partial
import importlib
import inspect
import pkgutil
from typing import Any, get_args, get_type_hints

import apache_beam as beam
from apache_beam.typehints.decorators import TypeCheckError
import pyarrow as pa
import pytest

from model_zoo.engines.settings import Settings
from model_zoo.package.card import InputColumn, Tensor
from model_zoo.scoring.loading import load_model
from model_zoo.scoring.scoring import Scoring
from model_zoo.steps.stack import Stack
from storage.run_folder import RunFolder
import transforms
from transforms.announce import Published
from transforms.batches import (
    FeatureBatch,
    PredictionBatch,
    RawBatch,
    RowRecord,
    ScoredBatch,
    WorkUnit,
    WrittenPart,
)
from transforms.formats.output import FileFormat
from transforms.formats.parquet import ParquetFormat
from transforms.postprocess import Postprocess
from transforms.predict import Predict
from transforms.preprocess import Preprocess
from transforms.publish import PublishRun
from transforms.read import ReadShards
from transforms.scores.options import ScoreColumns
from transforms.write import WriteShards
from transforms.written_columns import WrittenColumns

RUN = RunFolder("memory://nowhere", "run")
SCHEMA = pa.schema([("id", pa.int64()), ("a", pa.float32())])

MADE: dict[str, Callable[[], beam.PTransform]] = {
    "ReadShards": lambda: ReadShards(RUN, SCHEMA, ParquetFormat(), 10, RowRecord("id")),
    "Preprocess": lambda: Preprocess(
        (InputColumn(name="a", type="float", missing="error"),),
        (Stack(step="stack", columns=("a",), into="x"),),
        {"x": Tensor(dtype="float32", shape=(1,))},
    ),
    "Predict": lambda: Predict(
        partial(load_model, Scoring("nowhere", "0" * 64, "cpu", Settings(8), 60.0, 1))
    ),
    "Postprocess": lambda: Postprocess(
        WrittenColumns(("id",), ScoreColumns("sigmoid"), ("probability",))
    ),
    "WriteShards": lambda: WriteShards(RUN, FileFormat("parquet", SCHEMA, (), (), 10)),
    "PublishRun": lambda: PublishRun(RUN, {}, 0, 0.0),
}
TAKES = {
    "Preprocess": RawBatch,
    "Predict": FeatureBatch,
    "Postprocess": PredictionBatch,
    "WriteShards": ScoredBatch,
    "PublishRun": WrittenPart,
}
GIVES = {
    "ReadShards": RawBatch,
    "Preprocess": FeatureBatch,
    "Predict": PredictionBatch,
    "Postprocess": ScoredBatch,
    "WriteShards": WrittenPart,
    "PublishRun": Published,
}
EDGES = (WorkUnit, *TAKES.values(), Published)
WRONG = [(verb, edge) for verb, taken in TAKES.items() for edge in EDGES if edge is not taken]
WRONG_PAIRS = [(one, other) for one in MADE for other in TAKES if GIVES[one] is not TAKES[other]]


@pytest.mark.parametrize(("verb", "edge"), WRONG, ids=lambda x: getattr(x, "__name__", x))
def test_a_wrong_element_type_is_refused(verb: str, edge: type) -> None:
    source = beam.Pipeline() | beam.Create([]).with_output_types(edge)
    with pytest.raises(TypeCheckError):
        source | MADE[verb]()


@pytest.mark.parametrize(("one", "other"), WRONG_PAIRS)
def test_a_wrong_connection_is_refused(one: str, other: str) -> None:
    root = beam.Pipeline()
    source = root if one == "ReadShards" else root | beam.Create([]).with_output_types(TAKES[one])
    made = source | MADE[one]()
    with pytest.raises(TypeCheckError):
        made | "Next" >> MADE[other]()


def test_the_sentence_connects_and_every_edge_has_its_type() -> None:
    collection: Any = beam.Pipeline()
    for verb, make in MADE.items():
        collection = collection | make()
        assert collection.element_type is GIVES[verb], verb


def modules() -> list[Any]:
    return [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(transforms.__path__, "transforms.")
    ]


def test_every_expand_is_annotated() -> None:
    found = {}
    for module in modules():
        for cls in vars(module).values():
            if (
                inspect.isclass(cls)
                and issubclass(cls, beam.PTransform)
                and cls.__module__ == module.__name__
            ):
                hints = get_type_hints(cls.expand)
                found[cls.__name__] = (
                    hints[next(n for n in hints if n != "return")],
                    hints["return"],
                )
    assert set(found) == set(MADE)
    for name, (taken, given) in found.items():
        assert get_args(given) == (GIVES[name],), name
        assert (
            (get_args(taken) == (TAKES[name],)) if name in TAKES else (taken is beam.pvalue.PBegin)
        ), name


def test_building_the_graph_touches_no_storage() -> None:
    import fsspec

    for verb, make in MADE.items():
        source = beam.Pipeline()
        source | make() if verb == "ReadShards" else source | beam.Create([]).with_output_types(
            TAKES[verb]
        ) | make()
    assert not fsspec.filesystem("memory").exists("/nowhere")
