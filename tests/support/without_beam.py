"""Run the real graph without Beam: the same transforms and DoFns, called one after the other in this thread.

`build` gets a root that is no Beam pipeline. Whatever is piped into it is expanded as Beam would, down to the few primitives that the
graph is made of, and those are carried out right here: a tenth of the time that Beam's local runner takes for a small run. Threads,
bundles, coders and the pickling of DoFns are Beam's, and are not tried this way, so each folder has a test that goes through Beam.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.internal import pickler
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.utils.windowed_value import WindowedValue
import pytest


class Elements:
    """Stand in for a PCollection: elements that are made when somebody asks for them."""

    def __init__(self, elements: Iterable[Any], pipeline: "PlainPipeline") -> None:
        self._elements, self._pipeline = elements, pipeline
        pipeline.last = self

    def __iter__(self) -> Iterator[Any]:
        return iter(self._elements)

    def __or__(self, transform: Any) -> "Elements":
        transform = getattr(transform, "transform", transform)  # what `"Label" >> transform` gives
        for kind, carry_out in _PRIMITIVES:
            if isinstance(transform, kind):
                return Elements(carry_out(transform, self), self._pipeline)
        return transform.expand(self)


class PlainPipeline:
    """Stand in for a Pipeline, and for the result of running it."""

    def __init__(self) -> None:
        self.last: Iterable[Any] = ()

    def __or__(self, transform: Any) -> Elements:
        return Elements((), self) | transform

    def run(self) -> "PlainPipeline":
        """Carry the whole graph out, by asking for what comes out of its end."""
        for _ in self.last:
            pass
        return self

    def wait_until_finish(self) -> None:
        """Return at once: `run` has done it all."""

    def cancel(self) -> None:
        """Do nothing: nothing runs any more."""


def run_without_beam(patch: pytest.MonkeyPatch) -> None:
    """Let programs in this process run their graph without Beam, until `patch` is undone.

    Runs on another runner than the DirectRunner, and those with worker processes, still go through Beam.
    """
    real: Callable[..., Any] = beam.Pipeline

    def pipeline(*arguments: Any, options: PipelineOptions | None = None, **named: Any) -> Any:
        if options is None or not _is_one_process(options):
            return real(*arguments, options=options, **named)
        return PlainPipeline()

    patch.setattr(beam, "Pipeline", pipeline)
    # Each DoFn is pickled and read back when it becomes a transform, a tenth of the time of a graph.
    patch.setattr(pickler, "roundtrip", lambda value: value)


def _is_one_process(options: PipelineOptions) -> bool:
    in_processes = options.view_as(DirectOptions).direct_running_mode == "multi_processing"
    return options.view_as(StandardOptions).runner == "DirectRunner" and not in_processes


def _create(transform: Any, _: Iterable[Any]) -> Iterator[Any]:
    yield from transform.values


def _call_dofn(transform: Any, elements: Iterable[Any]) -> Iterator[Any]:
    """Put all elements through a DoFn, as one bundle."""
    dofn = transform.fn
    dofn.setup()
    try:
        dofn.start_bundle()
        for element in elements:
            yield from dofn.process(element, *transform.args, **transform.kwargs) or ()
        for last in dofn.finish_bundle() or ():
            yield last.value if isinstance(last, WindowedValue) else last
    finally:
        dofn.teardown()


def _pass_on(_: Any, elements: Iterable[Any]) -> Iterator[Any]:
    """Let a shuffle see everything before it gives anything, as a runner does."""
    yield from list(elements)


def _gather(_: Any, elements: Iterable[Any]) -> Iterator[Any]:
    yield list(elements)


def _infer(transform: Any, elements: Iterable[Any]) -> Iterator[Any]:
    handler = transform._model_handler
    model = None
    for element in elements:
        model = handler.load_model() if model is None else model
        yield from handler.run_inference(element, model)


_PRIMITIVES: tuple[tuple[type, Callable[[Any, Iterable[Any]], Iterator[Any]]], ...] = (
    (beam.Create, _create),
    (beam.ParDo, _call_dofn),
    (beam.Reshuffle, _pass_on),
    (beam.combiners.ToList, _gather),
    (RunInference, _infer),
)
