"""Quantise an ONNX graph to 8-bit integers with nncf, by what flows through it on rows of a job.

Jacob et al., 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference". The result is an ONNX graph again, which OpenVINO and ONNX Runtime
compute, and which can be looked through as the package's own.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
import io
import logging
from typing import Any, TypeAlias

import numpy as np

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.engine import Inputs
from model_zoo.engines.failures import shorten_failure
from model_zoo.engines.graph_settings import arrange_batches
from model_zoo.engines.onnx_session import make_session
from model_zoo.engines.whole_graph import read_whole_graph
from model_zoo.package.packed_model import PackedModel

# What nncf's `quantize` is told.
Options: TypeAlias = dict[str, Any]

# What nncf's own authors take; of more rows the bounds of what flows change little.
CALIBRATION_ROWS = 300


def can_quantise() -> bool:
    """Tell whether the library is installed."""
    return find_spec("nncf") is not None


def quantise(package: PackedModel, rows: Iterable[Inputs]) -> bytes:
    """Return a package's graph in 8-bit integers.

    Args:
        package: of a card that names a graph.
        rows: mini-batches that the reference scores, one tensor (rows, *shape) per input each.

    Raises:
        ModelError: there are no rows, or nncf does not take the graph.
    """
    import onnx

    content = read_whole_graph(package).content
    graph = onnx.ModelProto.FromString(content)
    # Several ways are tried on them.
    batches = list(arrange_batches(graph, rows))
    if not batches:
        raise ModelError("no rows to quantise the graph of int8 on")
    candidates = [_quantise(graph, batches, way) for way in _list_ways()]
    return _choose_closest(content, candidates, batches, list(package.card.outputs))


def _list_ways() -> list[Options]:
    """Return ways to quantise, none of which is the closest for every network.

    With and without correcting the mean of what a layer gives, which helps deep networks, and in small
    ones was seen to make the errors six times as large.
    """
    return [_make_options(corrects_bias=False), _make_options(corrects_bias=True)]


def _make_options(corrects_bias: bool) -> Options:
    import nncf
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    # All that flowed, where nncf's default is the mean of each mini-batch's bounds, and cuts off the
    # rest: that would depend on how many rows a mini-batch has.
    bounds = RangeEstimatorParametersSet.MINMAX
    advanced = nncf.AdvancedQuantizationParameters(
        activations_range_estimator_params=bounds,
        disable_bias_correction=not corrects_bias,
    )
    return {"advanced_parameters": advanced}


def _quantise(graph: Any, batches: Sequence[Arrays], options: Options) -> bytes:
    import nncf

    nncf.set_log_level(logging.CRITICAL)
    dataset = nncf.Dataset(batches)
    # Without progress bars in the terminal, which has a table of ours.
    with redirect_stdout(io.StringIO()):
        try:
            quantised = nncf.quantize(graph, dataset, subset_size=len(batches), **options)
        except Exception as error:  # nncf's, or ONNX Runtime's, of a graph that somebody else made
            reason = shorten_failure(error)
            raise ModelError(f"nncf cannot quantise the graph: {reason}") from error
    content: bytes = quantised.SerializeToString()
    return content


def _choose_closest(
    content: bytes,
    candidates: Sequence[bytes],
    batches: Sequence[Arrays],
    names: Sequence[str],
) -> bytes:
    """Return the graph whose outputs differ least from those of floating point, in squares."""
    expected = list(_compute(content, batches, names))
    errors = []
    for candidate in candidates:
        computed = _compute(candidate, batches, names)
        error = 0.0
        for actual, wanted in zip(computed, expected, strict=True):
            difference = np.subtract(actual, wanted, dtype=np.float64)
            error += float(np.square(difference).sum())
        errors.append(error)
    closest = int(np.argmin(errors))
    return candidates[closest]


def _compute(
    content: bytes, batches: Sequence[Arrays], names: Sequence[str]
) -> Iterator[np.ndarray]:
    """Yield the outputs of a graph, mini-batch by mini-batch."""
    session = make_session(content, {}, "the graph in 8-bit integers")
    for batch in batches:
        yield from session.run(list(names), batch)
