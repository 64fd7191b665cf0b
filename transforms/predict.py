"""FeatureBatch -> PredictionBatch: Beam's RunInference around a Scorer.

`ScorerHandler` is the one seam between Beam and models. RunInference loads one model per worker
process, shares it between the threads, and hands every batch over whole; cutting it into
mini-batches is the Scorer's own work.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
import threading
from typing import Any, Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference
import numpy as np

from configs.errors import ModelError, RejectedRows, RowError, WorkerError, crashes_as_errors
from model_zoo.scoring.listener import told
from model_zoo.scoring.scored import Scored
from storage.run_folder import RunFolder
from transforms.batches import Arrays, FeatureBatch, PredictionBatch, take_from_arrays
from transforms.on_beam import Timed
from transforms.output.progress_note import ProgressNote
from transforms.rejected import find_kept, reject_rows
from transforms.timing import give_time

Score: TypeAlias = Callable[[Arrays], Scored]
Load: TypeAlias = Callable[[], Score]
NotFinite: TypeAlias = Literal["reject", "fail", "pass"]


class NotFiniteError(RowError):
    """A prediction that is NaN or infinite."""


class Checked(NamedTuple):
    """What the model gave for some rows.

    Attributes:
        outputs: (rows, ...), by name.
        rejected: the rows among them that have no valid score, if there are any.
    """

    outputs: Arrays
    rejected: RejectedRows | None


def predict_rows(
    scored: Scored,
    rows: int,
    not_finite: NotFinite = "reject",
) -> Checked:
    """Check what the model gave for some rows.

    Args:
        scored: its scores, arrays (rows, ...), and the rows that it has none for.
        rows: how many rows it was given.
        not_finite: what a NaN or infinite score does: `reject` its row, `fail`, or `pass` as it is.

    Raises:
        ModelError: the model gave another number of rows, or a score that is not finite where that
            fails.
    """
    outputs = scored.outputs
    for name, values in outputs.items():
        given = len(values)
        if given != rows:
            raise ModelError(f"the model gave {given} rows of {name} for {rows} rows")
    reasons = dict(scored.rejected)
    if not_finite != "pass":
        # Rows that the model failed on hold whatever was in memory, and have their reason already.
        found = _find_not_finite(outputs, known=reasons)
        if found and not_finite == "fail":
            first, *_ = found.values()
            raise ModelError(
                f"{first} in {len(found)} rows, and model.not_finite is fail; "
                "mend the input or the model"
            )
        reasons |= found
    if not reasons:
        return Checked(outputs, None)
    rejected = RejectedRows(reasons)
    return Checked(outputs, rejected)


def predict_batch(
    score: Score,
    batch: FeatureBatch,
    not_finite: NotFinite = "reject",
    mask: str | None = None,
) -> PredictionBatch:
    """Score a batch; rows that the model cannot score leave it.

    Args:
        score: the model.
        batch: what it takes.
        not_finite: as for `predict_rows`.
        mask: the input, (rows, tokens), that is 1 for tokens; None where the model takes none.

    Raises:
        ModelError, WorkerError: as the model and `predict_rows`; the message names the batch.
    """
    try:
        scored = score(batch.inputs)
        rows = len(batch)
        outputs, rejected = predict_rows(scored, rows, not_finite)
    except (ModelError, WorkerError) as error:
        raise type(error)(f"{batch.raw.id}: {error}") from error
    raw = batch.raw
    computed_by = scored.computed_by
    # The batch's clock counts it as the model's time, and the scorer alone knows how much it was.
    give_time("copy", scored.copy_nanoseconds)
    lengths = None
    if mask is not None:
        is_token = batch.inputs[mask]
        lengths = np.count_nonzero(is_token, axis=1)
    if rejected is None:
        return PredictionBatch(raw, outputs, computed_by, lengths)
    kept = find_kept(rows, rejected)
    outputs = take_from_arrays(outputs, kept)
    if lengths is not None:
        lengths = lengths[kept]
    raw = reject_rows(raw, rejected, "predict")
    return PredictionBatch(raw, outputs, computed_by, lengths)


@dataclass
class Predict(beam.PTransform):
    """Score every batch with a model, loaded once per worker process.

    Attributes:
        load: returns the model, ready to score.
        not_finite: as for `predict_rows`.
        mask: as for `predict_batch`.
        run: where to leave notes of how far a unit is; None for nowhere.
    """

    load: Load
    not_finite: NotFinite = "reject"
    mask: str | None = None
    run: RunFolder | None = None

    def expand(self, batches: beam.PCollection[FeatureBatch]) -> beam.PCollection[PredictionBatch]:
        handler = ScorerHandler(self.load, self.not_finite, self.mask, self.run)
        # An element is a batch already: RunInference would make lists of them.
        inference = RunInference(handler.with_no_batching())
        return batches | inference.with_output_types(PredictionBatch)


@dataclass
class ScorerHandler(ModelHandler[FeatureBatch, PredictionBatch, Any]):
    """The seam between RunInference and a Scorer."""

    load: Load
    not_finite: NotFinite
    mask: str | None = None
    run: RunFolder | None = None

    def load_model(self) -> Any:
        # No other than an Exception, for which the runner would not end.
        with crashes_as_errors():
            return self.load()

    def run_inference(
        self,
        batch: Sequence[FeatureBatch],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> list[PredictionBatch]:
        assert isinstance(batch, FeatureBatch)  # noqa: S101 - with_no_batching hands the element itself over
        # Made for each batch, as a handler is made in the launcher, and has no setup of its own.
        timed = Timed("predict")
        with (
            _progress_noted(self.run, batch),
            timed(len(batch)),
            batch.raw.times.clocked("model"),
        ):
            predicted = predict_batch(model, batch, self.not_finite, self.mask)
        return [predicted]

    def get_num_bytes(self, batch: Sequence[FeatureBatch]) -> int:
        assert isinstance(batch, FeatureBatch)  # noqa: S101 - as above
        return batch.nbytes


def _progress_noted(run: RunFolder | None, batch: FeatureBatch) -> AbstractContextManager[None]:
    """Leave notes of the rows that are scored while the block runs: a batch may take minutes."""
    if run is None:
        return nullcontext()
    unit = batch.raw.unit
    rows_before = batch.raw.id.first_row - unit.first_row
    # Rows that were rejected before are done, too.
    rows_before += batch.raw.rows_in - len(batch)
    # By the thread, so that no two write to one note.
    attempt = f"scoring-{threading.get_ident()}"
    note = ProgressNote(run, unit.index, attempt, rows_before)

    def add(rows: int) -> None:
        # Whoever writes the rows is told of what is wrong there.
        with suppress(OSError):
            note.add(rows)

    return told(add)


def _find_not_finite(
    outputs: Arrays,
    known: Mapping[int, Exception],
) -> dict[int, Exception]:
    """Return the rows with a score that is not finite, but for the known ones, and why."""
    found: dict[int, Exception] = {}
    for name, values in outputs.items():
        is_finite = np.isfinite(values)
        # Rows are looked at only where there is something to find.
        if is_finite.all():
            continue
        rows_given = len(values)
        values_of_rows = is_finite.reshape(rows_given, -1)
        row_is_finite = values_of_rows.all(axis=1)
        rows = np.flatnonzero(~row_is_finite)
        for row in rows.tolist():
            if row not in known:
                found[row] = NotFiniteError(f"score {name} is not finite")
    return found
