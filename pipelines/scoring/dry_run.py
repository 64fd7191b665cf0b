"""A dry run: plan and check everything, score a few rows in memory, write nothing."""

from dataclasses import dataclass
import time

import pyarrow as pa

from pipelines.cli.command_line import say, workers_kept_quiet
from pipelines.planning.plan import Plan
from pipelines.scoring import summary
from transforms.batches import RawBatch, ScoredBatch
from transforms.postprocess import postprocess_batch
from transforms.predict import Load, predict_batch
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


def dry_run(plan: Plan, load: Load) -> int:
    """Show the plan and a few scored rows, and return the exit status.

    The rows go through the same functions as in the graph.

    Args:
        plan: what a run would do.
        load: returns the model, ready to score.
    """
    with workers_kept_quiet():
        trial = _score_first_rows(plan, load)
    say(plan_table(plan))
    rows = trial.batch.rows_in
    if plan.rows is not None and rows:
        estimate = plan.rows * trial.seconds / rows
        say(
            f"  estimate: {estimate:,.1f} s with one worker, "
            f"from {rows:,} rows in {trial.seconds:.3f} s"
        )
    scored = trial.scored
    if scored.rejected:
        say(summary.rejected_rows(scored.rejected))
    table = pa.Table.from_batches([scored.rows])
    say(summary.shown_rows(table))
    say("dry run: everything fits together; nothing was written")
    return 0


def plan_table(plan: Plan) -> str:
    """Return what a run would do."""
    job = plan.job
    card = plan.package.card
    digest = plan.package.digest[:_DIGEST_CHARACTERS]
    device = job.model.device
    settings = plan.inference.settings
    unit_count = len(plan.units)
    preprocess = [step.step for step in plan.steps]
    schema = plan.output_plan.file_format.schema
    columns = [f"{column.name}: {column.type}" for column in schema]
    lines = {
        "job": job.name,
        "run id": plan.run.run_id,
        "input": _describe_input(plan),
        "left out": summary.left_out_paths(plan.ignored),
        "units": (
            f"{unit_count:,} of at most {job.sink.rows_per_file:,} rows; "
            f"batches of {plan.rows_per_batch:,}, mini-batches of {settings.batch_rows:,}"
        ),
        "model": f"{card.name} {card.version} ({digest}), {device} {settings}",
        "preprocess": " -> ".join(preprocess),
        "columns out": ", ".join(columns),
        "output": summary.shown_path(plan.run.output),
    }
    return summary.table(lines)


def _score_first_rows(plan: Plan, load: Load) -> _Trial:
    job = plan.job
    card = plan.package.card
    scorer = load()
    record = RowRecord()
    unit = plan.units[0]
    batches = read_unit(
        unit=unit,
        schema=plan.schema,
        format=plan.format,
        rows_per_batch=_ROWS,
        record=record,
    )
    batch = next(batches)

    # Reading and loading do not count: a run does the one while it scores, and the other once.
    began = time.perf_counter()
    features = preprocess_batch(
        batch,
        contract=card.columns,
        steps=plan.steps,
        inputs=card.inputs,
        timeout_seconds=job.model.timeout_seconds,
    )
    prediction = predict_batch(scorer, features, job.model.not_finite)
    scored = postprocess_batch(
        prediction,
        carried=job.source.carried,
        how=plan.output_plan.scores,
        keep=plan.output_plan.keep,
        where=job.postprocess.where,
        format=job.sink.format,
    )
    seconds = time.perf_counter() - began
    return _Trial(batch, scored, seconds)


def _describe_input(plan: Plan) -> str:
    size_bytes = sum(shard.file.bytes for shard in plan.shards)
    rows = "rows counted while reading"
    if plan.rows is not None:
        rows = f"{plan.rows:,} rows"
    file_count = len(plan.shards)
    kind = plan.job.source.format
    named = f"{plan.files.count:,} files of {plan.files.size_bytes:,} bytes"
    if kind == "files":
        return f"{named}, {rows}"
    described = f"{file_count:,} {kind} files, {size_bytes:,} bytes, {rows}"
    return f"{described}, which name {named}" if plan.files.content else described
