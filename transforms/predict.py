"""FeatureBatch -> PredictionBatch: Beam's RunInference around a Scorer.

`ScorerHandler` is the one seam between Beam and models. RunInference loads one model per worker process, shares it between the
threads, and hands every batch over whole; cutting it into mini-batches is the Scorer's own work.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference
import numpy as np

from configs.errors import ModelError, RowError, WorkerError
from model_zoo.mini_batches import FailedRows
from model_zoo.package import read_package
from model_zoo.replicas import Replicas
from model_zoo.scorer import Scorer, load_scorer, threads_for
from model_zoo.settings import Device, Settings
from transforms.batches import Arrays, BadRows, FeatureBatch, PredictionBatch, RawBatch
from transforms.timing import Timed, took

Score = Callable[[Arrays], Arrays]
NotFinite = Literal["reject", "fail", "pass"]


class NotFiniteError(RowError):
    """A prediction that is NaN or infinite."""


def predict_rows(score: Score, inputs: Arrays, rows: int, not_finite: NotFinite = "reject") -> tuple[Arrays, BadRows | None]:
    """Score rows and check the answer.

    Args:
        score: `dict[str, ndarray (rows, ...)] -> dict[str, ndarray (rows, ...)]`; raises FailedRows for rows that it fails on.
        inputs: arrays (rows, ...).
        not_finite: what a NaN or infinite score does: `reject` its row, `fail`, or `pass` as it is.

    Returns:
        Outputs (rows, ...), and the rows among them that have no valid score, if there are any.

    Raises:
        ModelError: the model gives another number of rows than it got, or a score that is not finite where that fails.
    """
    bad: dict[int, Exception] = {}
    try:
        outputs = score(inputs)
    except FailedRows as failed:
        outputs, bad = failed.outputs, failed.reasons
    for name, values in outputs.items():
        if len(values) != rows:
            raise ModelError(f"the model gave {len(values)} rows of {name} for {rows} rows")
    if not_finite != "pass":
        found = {row: reason for row, reason in _not_finite(outputs) if row not in bad}
        if found and not_finite == "fail":
            raise ModelError(
                f"{next(iter(found.values()))} in {len(found)} rows, and model.not_finite is fail; mend the input or the model"
            )
        bad |= found
    return outputs, BadRows(bad) if bad else None


def predict_batch(score: Score, batch: FeatureBatch, not_finite: NotFinite = "reject") -> tuple[RawBatch, Arrays]:
    """The batch without the rows that the model cannot score, and the outputs of the others."""
    try:
        outputs, bad = predict_rows(score, batch.inputs, len(batch), not_finite)
    except (ModelError, WorkerError) as error:
        raise type(error)(f"{batch.raw.id}: {error}") from error
    if bad is None:
        return batch.raw, outputs
    kept = np.delete(np.arange(len(batch)), sorted(bad.reasons))
    return batch.raw.reject(bad, "predict"), {name: values[kept] for name, values in outputs.items()}


@dataclass(frozen=True)
class Scoring:
    """Which model scores, and how.

    Attributes:
        package: folder of the model package; `digest` is the one that the launcher saw.
        settings: how the network computes; `machine`: the kind of machine that they were measured on, None when they hold on all.
        timeout_seconds: the longest time that a mini-batch may take.
        not_finite: what a NaN or infinite score does.
        workers: how many workers share one machine's cores.
    """

    package: str
    digest: str
    device: Device
    settings: Settings
    timeout_seconds: float
    not_finite: NotFinite
    workers: int
    machine: Mapping[str, str] | None = None

    def load(self) -> Scorer | Replicas:
        """The model, ready to score."""
        package = read_package(self.package, expected_digest=self.digest)
        return load_scorer(package, self.device, self.settings, threads_for(self.workers), self.timeout_seconds, self.machine)


@dataclass
class Predict(beam.PTransform):
    """Score every batch with the package's model, loaded once per worker process."""

    scoring: Scoring

    def expand(self, batches: beam.PCollection[FeatureBatch]) -> beam.PCollection[PredictionBatch]:
        handler = ScorerHandler(self.scoring)
        return batches | RunInference(handler.with_no_batching()).with_output_types(PredictionBatch)


@dataclass
class ScorerHandler(ModelHandler[FeatureBatch, PredictionBatch, Any]):
    """The seam between RunInference and a Scorer."""

    scoring: Scoring

    def load_model(self) -> Any:
        return self.scoring.load()

    def run_inference(
        self, batch: Sequence[FeatureBatch], model: Any, inference_args: dict[str, Any] | None = None
    ) -> list[PredictionBatch]:
        assert isinstance(batch, FeatureBatch)  # noqa: S101 - with_no_batching hands the element itself over
        with Timed("predict")(len(batch)), batch.raw.times.clocked("model"):
            raw, outputs = predict_batch(model, batch, self.scoring.not_finite)
            took("copy", model.take_copy_nanoseconds())
        return [PredictionBatch(raw, outputs, model.placement)]

    def get_num_bytes(self, batch: Sequence[FeatureBatch]) -> int:
        assert isinstance(batch, FeatureBatch)  # noqa: S101 - as above
        return batch.nbytes


def _not_finite(outputs: Arrays) -> Iterator[tuple[int, NotFiniteError]]:
    for name, values in outputs.items():
        finite = np.isfinite(values)
        if not finite.all():
            for row in np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1)).tolist():
                yield row, NotFiniteError(f"score {name} is not finite")
