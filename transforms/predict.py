"""FeatureBatch -> PredictionBatch: Beam's RunInference around a Scorer.

`ScorerHandler` is the one seam between Beam and models. RunInference loads one model per worker process, shares it between the
threads, and hands every batch over whole; cutting it into mini-batches is the Scorer's own work.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference
import numpy as np

from configs.errors import ModelError, RowError
from model_zoo.package import read_package
from model_zoo.scorer import Device, DType, load_scorer, threads_for
from transforms.batches import Arrays, BadRows, FeatureBatch, PredictionBatch, isolate
from transforms.timing import Timed

Score = Callable[[Arrays], Arrays]


class NotFiniteError(RowError):
    """A prediction that is NaN or infinite."""


def predict_rows(score: Score, inputs: Arrays, rows: int) -> Arrays:
    """Score rows and check the answer.

    Args:
        score: `dict[str, ndarray (rows, ...)] -> dict[str, ndarray (rows, ...)]`.
        inputs: arrays (rows, ...).

    Returns:
        Outputs (rows, ...), finite everywhere.

    Raises:
        BadRows: rows that the model fails on, or that get a NaN or infinite score.
        ModelError: the model gives another number of rows than it got.
    """
    if rows == 0:
        return score(inputs)
    try:
        outputs = score(inputs)
    except ModelError:
        raise
    except Exception as error:
        if bad := isolate(rows, lambda at: score({n: a[at] for n, a in inputs.items()})):
            raise bad from error
        raise
    for name, values in outputs.items():
        if len(values) != rows:
            raise ModelError(f"the model gave {len(values)} rows of {name} for {rows} rows")
    if bad := _not_finite(outputs):
        raise bad
    return outputs


def predict_batch(score: Score, batch: FeatureBatch) -> tuple[FeatureBatch, Arrays]:
    """The batch without the rows that the model cannot score, and the outputs of the others."""
    while True:
        try:
            return batch, predict_rows(score, batch.inputs, len(batch))
        except BadRows as bad:
            kept = np.delete(np.arange(len(batch)), sorted(bad.reasons))
            batch = FeatureBatch(batch.raw.reject(bad, "predict"), {n: a[kept] for n, a in batch.inputs.items()})
        except ModelError as error:
            raise ModelError(f"{batch.raw.id}: {error}") from error


@dataclass
class Predict(beam.PTransform):
    """Score every batch with the package's model, loaded once per worker process; `workers` of them share one machine's cores."""

    package: str
    digest: str
    device: Device
    dtype: DType
    batch_rows: int
    workers: int

    def expand(self, batches: beam.PCollection[FeatureBatch]) -> beam.PCollection[PredictionBatch]:
        handler = ScorerHandler(self.package, self.digest, self.device, self.dtype, self.batch_rows, self.workers)
        return batches | RunInference(handler.with_no_batching()).with_output_types(PredictionBatch)


@dataclass
class ScorerHandler(ModelHandler[FeatureBatch, PredictionBatch, Any]):
    """The seam between RunInference and a Scorer."""

    package: str
    digest: str
    device: Device
    dtype: DType
    batch_rows: int
    workers: int

    def load_model(self) -> Any:
        package = read_package(self.package, expected_digest=self.digest)
        return load_scorer(package, self.device, self.dtype, self.batch_rows, threads_for(self.workers))

    def run_inference(
        self, batch: Sequence[FeatureBatch], model: Any, inference_args: dict[str, Any] | None = None
    ) -> list[PredictionBatch]:
        assert isinstance(batch, FeatureBatch)  # noqa: S101 - with_no_batching hands the element itself over
        with Timed("predict")(len(batch)):
            scored, outputs = predict_batch(model, batch)
        return [PredictionBatch(scored.raw, outputs, model.placement)]

    def get_num_bytes(self, batch: Sequence[FeatureBatch]) -> int:
        assert isinstance(batch, FeatureBatch)  # noqa: S101 - as above
        return batch.nbytes


def _not_finite(outputs: Arrays) -> BadRows | None:
    reasons: dict[int, Exception] = {}
    for name, values in outputs.items():
        finite = np.isfinite(values)
        if not finite.all():
            rows = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))
            reasons.update((int(row), NotFiniteError(f"score {name} is not finite")) for row in rows)
    return BadRows(reasons) if reasons else None
