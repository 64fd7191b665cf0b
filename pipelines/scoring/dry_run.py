"""A dry run: plan and check everything, score a few rows in memory, write nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
import time

import pyarrow as pa

from pipelines.planning.plan import Plan
from pipelines.planning.scoring import scoring_of
from pipelines.scoring import summary
from transforms.batches import RawBatch, ScoredBatch
from transforms.postprocess import postprocess_batch
from transforms.predict import predict_batch
from transforms.preprocess import preprocess_batch
from transforms.read import read_unit
from transforms.rejected import RowRecord

# Enough to tell rows per second, few enough to wait for.
_ROWS = 1_000
_DIGEST_CHARACTERS = 12


@dataclass(frozen=True)
class _Trial:
    batch: RawBatch
    scored: ScoredBatch
    seconds: float


def dry_run(plan: Plan) -> int:
    """Show the plan and a few scored rows, and return the exit status.

    The rows go through the same functions as in the graph.
    """
    trial = _score_first_rows(plan)
    rows = trial.batch.rows_in
    print(plan_table(plan))
    if plan.rows is not None and rows:
        estimate = plan.rows * trial.seconds / rows
        print(
            f"  estimate: {estimate:,.1f} s with one worker, "
            f"from {rows:,} rows in {trial.seconds:.3f} s"
        )
    if trial.scored.rejected:
        print(summary.rejected_rows(trial.scored.rejected))
    print(summary.shown_rows(pa.Table.from_batches([trial.scored.rows])))
    print("dry run: everything fits together; nothing was written")
    return 0


def plan_table(plan: Plan) -> str:
    """Return what a run would do."""
    job, card, output = plan.job, plan.package.card, plan.output.file_format.schema
    digest = plan.package.digest[:_DIGEST_CHARACTERS]
    settings = plan.inference.settings
    lines = {
        "job": job.name,
        "run id": plan.run.run_id,
        "input": ", ".join(_describe_input(plan)),
        "ignored": f"{len(plan.ignored):,} files (hidden, _SUCCESS, .crc)",
        "units": (
            f"{len(plan.units):,} of at most {job.sink.rows_per_file:,} rows; "
            f"batches of {plan.rows_per_batch:,}, mini-batches of {settings.batch_rows:,}"
        ),
        "model": f"{card.name} {card.version} ({digest}), {job.model.device} {settings}",
        "preprocess": " -> ".join(step.step for step in plan.steps),
        "columns out": ", ".join(f"{column.name}: {column.type}" for column in output),
        "output": summary.shown_path(plan.run.output),
    }
    return summary.table(lines)


def _score_first_rows(plan: Plan) -> _Trial:
    job, card = plan.job, plan.package.card
    scoring = scoring_of(plan, workers=1)
    scorer = scoring.load()
    batches = read_unit(plan.units[0], plan.schema, plan.format, _ROWS, RowRecord())
    batch = next(batches)
    # Reading and loading do not count: a run does the one while it scores, and the other once.
    began = time.perf_counter()
    features = preprocess_batch(batch, card.columns, plan.steps, card.inputs)
    prediction = predict_batch(scorer, features, scoring.not_finite)
    scored = postprocess_batch(
        prediction,
        job.source.carried,
        plan.output.scores,
        plan.output.keep,
        job.postprocess.where,
        job.sink.format,
    )
    return _Trial(batch, scored, time.perf_counter() - began)


def _describe_input(plan: Plan) -> Iterator[str]:
    size = sum(shard.file.bytes for shard in plan.shards)
    yield f"{len(plan.shards):,} {plan.job.source.format} files"
    yield f"{size:,} bytes"
    yield "rows counted while reading" if plan.rows is None else f"{plan.rows:,} rows"
