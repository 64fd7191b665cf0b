"""FeatureBatch -> PredictionBatch: Beam's RunInference around a Scorer.

`ScorerHandler` is the one seam between Beam and models. RunInference loads one model per worker
process, shares it between the threads, and hands every batch over whole; cutting it into mini-batches
is the Scorer's own work.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference
import numpy as np

from configs.errors import ModelError, RejectedRows, RowError, WorkerError
from model_zoo.engines.settings import Device, Settings
from model_zoo.package.package import read_package
from model_zoo.scoring.devices import threads_for
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.scorer import load_scorer
from transforms.batches import Arrays, FeatureBatch, PredictionBatch
from transforms.timing import Timed, give_time

Score: TypeAlias = Callable[[Arrays], Scored]
NotFinite: TypeAlias = Literal["reject", "fail", "pass"]


class NotFiniteError(RowError):
    """A prediction that is NaN or infinite."""


def predict_rows(
    scored: Scored, rows: int, not_finite: NotFinite = "reject"
) -> tuple[Arrays, RejectedRows | None]:
    """Check what the model gave for some rows.

    Args:
        scored: its scores, arrays (rows, ...), and the rows that it has none for.
        rows: how many rows it was given.
        not_finite: what a NaN or infinite score does: `reject` its row, `fail`, or `pass` as it is.

    Returns:
        Outputs (rows, ...), and the rows among them that have no valid score, if there are any.

    Raises:
        ModelError: the model gave another number of rows, or a score that is not finite where that
            fails.
    """
    for name, values in scored.outputs.items():
        if len(values) != rows:
            raise ModelError(f"the model gave {len(values)} rows of {name} for {rows} rows")
    reasons = dict(scored.rejected)
    if not_finite != "pass":
        # Rows that the model failed on hold whatever was in memory, and have their reason already.
        found = {row: e for row, e in _find_not_finite(scored.outputs) if row not in reasons}
        if found and not_finite == "fail":
            raise ModelError(
                f"{next(iter(found.values()))} in {len(found)} rows, and model.not_finite is fail; "
                "mend the input or the model"
            )
        reasons |= found
    return scored.outputs, RejectedRows(reasons) if reasons else None


def predict_batch(
    score: Score, batch: FeatureBatch, not_finite: NotFinite = "reject"
) -> PredictionBatch:
    """Score a batch; rows that the model cannot score leave it.

    Args:
        score: the model.
        batch: what it takes.
        not_finite: as for `predict_rows`.

    Raises:
        ModelError, WorkerError: as the model and `predict_rows`; the message names the batch.
    """
    try:
        scored = score(batch.inputs)
        outputs, rejected = predict_rows(scored, len(batch), not_finite)
    except (ModelError, WorkerError) as error:
        raise type(error)(f"{batch.raw.id}: {error}") from error
    give_time("copy", scored.copy_nanoseconds)
    if rejected is None:
        return PredictionBatch(batch.raw, outputs, scored.computed_by)
    kept = np.delete(np.arange(len(batch)), sorted(rejected.reasons))
    outputs = {name: values[kept] for name, values in outputs.items()}
    return PredictionBatch(batch.raw.reject(rejected, "predict"), outputs, scored.computed_by)


@dataclass(frozen=True)
class Scoring:
    """Which model scores, and how.

    Attributes:
        package: folder of the model package.
        digest: of the package, as the launcher saw it.
        settings: how the network computes.
        timeout_seconds: the longest time that a mini-batch may take.
        not_finite: what a NaN or infinite score does.
        workers: how many workers share one machine's cores.
        machine: the kind of machine that the settings were measured on; None when they hold on all.
    """

    package: str
    digest: str
    device: Device
    settings: Settings
    timeout_seconds: float
    not_finite: NotFinite
    workers: int
    machine: Mapping[str, str] | None = None

    def load(self) -> Score:
        """Return the model, ready to score."""
        package = read_package(self.package, expected_digest=self.digest)
        return load_scorer(
            package,
            self.device,
            self.settings,
            threads_for(self.workers),
            self.timeout_seconds,
            self.machine,
        )


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
        self,
        batch: Sequence[FeatureBatch],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> list[PredictionBatch]:
        assert isinstance(batch, FeatureBatch)  # noqa: S101 - with_no_batching hands the element itself over
        with Timed("predict")(len(batch)), batch.raw.times.clocked("model"):
            return [predict_batch(model, batch, self.scoring.not_finite)]

    def get_num_bytes(self, batch: Sequence[FeatureBatch]) -> int:
        assert isinstance(batch, FeatureBatch)  # noqa: S101 - as above
        return batch.nbytes


def _find_not_finite(outputs: Arrays) -> Iterator[tuple[int, NotFiniteError]]:
    for name, values in outputs.items():
        is_finite = np.isfinite(values)
        # Rows are looked at only where there is something to find.
        if not is_finite.all():
            rows = np.flatnonzero(~is_finite.reshape(len(values), -1).all(axis=1))
            for row in rows.tolist():
                yield row, NotFiniteError(f"score {name} is not finite")
