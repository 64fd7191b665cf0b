"""What engines of ONNX graphs share when they are tuned: dtypes worth trying, rows to measure on, 8 bits.

rows of the job -> what a graph takes -> a graph in 8 bits -> settings that name it
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from model_zoo.arrays import Arrays
from model_zoo.engines.engine import Inputs, Sample
from model_zoo.engines.graph_arrays import lay_out
from model_zoo.engines.quantised_graph import keep_in_memory
from model_zoo.engines.settings import DType, Settings

# Makes the content of a graph in 8 bits.
Quantise = Callable[[Iterable[Inputs]], bytes]


def list_dtypes(
    engine: str,
    dtypes: Sequence[DType],
    batch_rows: int,
    without: Sequence[str],
) -> Iterator[Settings]:
    """Yield settings of the dtypes that a processor computes fast.

    Args:
        engine: whose settings they are.
        dtypes: beside float32, the most promising first.
        batch_rows: rows of their mini-batches.
        without: words of settings to leave out.
    """
    for dtype in dtypes:
        if dtype not in without:
            yield Settings(batch_rows, dtype, engine=engine)


def refine_nothing() -> Iterator[Settings]:
    """Yield nothing, as engines of graphs do: they make machine code of every graph anyway."""
    return iter(())


def calibrate_graph(
    settings: Settings,
    sample: Sample,
    rows: int,
    quantise: Quantise,
) -> Settings:
    """Return settings with a graph in 8 bits where they are int8, or as they are.

    Args:
        settings: as the engine lists them.
        sample: rows that the reference scores.
        rows: on how many of them the graph is measured.
        quantise: makes the graph.

    Raises:
        ModelError: it cannot be made.
    """
    if settings.dtype != "int8":
        return settings
    content = quantise(sample(rows))
    return replace(settings, graph=keep_in_memory(content))


def arrange_batches(model: Any, batches: Iterable[Inputs]) -> Iterator[Arrays]:
    """Yield mini-batches as a graph takes them.

    Args:
        model: `onnx.ModelProto`.
        batches: one tensor (rows, *shape) per input each.
    """
    ranks = {}
    for value in model.graph.input:
        shape = value.type.tensor_type.shape
        ranks[value.name] = len(shape.dim)
    for batch in batches:
        arrays: Arrays = {}
        for name, tensor in batch.items():
            arrays[name] = lay_out(tensor, ranks[name])
        yield arrays
