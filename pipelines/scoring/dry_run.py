"""A dry run: plan and check everything, score a few rows in memory, write nothing."""

from collections.abc import Sequence

import pyarrow as pa

from pipelines.cli.command_line import say, workers_kept_quiet
from pipelines.planning.plan import Plan
from pipelines.scoring import summary
from pipelines.scoring.missing_values import (
    Missing,
    count_missing,
    count_rejected_at_least,
    describe_missing,
    refuse_missing,
)
from pipelines.scoring.trial_rows import Trial, count_begun, try_first_rows, try_places
from transforms.output.books import check_budget
from transforms.predict import Load

_DIGEST_CHARACTERS = 12


def dry_run(plan: Plan, load: Load) -> int:
    """Show the plan and a few scored rows, say what was checked, and return the exit status.

    The rows go through the same functions as in the graph.

    Args:
        plan: what a run would do.
        load: returns the model, ready to score.

    Raises:
        Refusal: what would end the run.
    """
    with workers_kept_quiet():
        score = load()
        first = try_first_rows(plan, score)
        others = try_places(plan, score, first)
    missing = count_missing(plan)
    say(plan_table(plan))
    rows = first.batch.rows_in
    if plan.rows is not None and rows:
        estimate = plan.rows * first.seconds / rows
        say(
            f"  estimate: {estimate:,.1f} s with one worker, "
            f"from {rows:,} rows in {first.seconds:.3f} s"
        )
    rejected = [records for trial in (first, *others) for records in trial.scored.rejected]
    if rejected:
        say(summary.rejected_rows(rejected))
    say(_describe_checked(plan, first, others, missing))
    table = pa.Table.from_batches([first.scored.rows])
    say(summary.shown_rows(table))
    # What is certain, though no row of it was seen.
    refuse_missing(missing)
    _refuse_over_budget(plan, missing)
    say("dry run: what was checked fits together; nothing was written")
    return 0


def plan_table(plan: Plan) -> str:
    """Return what a run would do."""
    job = plan.job
    card = plan.package.card
    digest = plan.package.digest[:_DIGEST_CHARACTERS]
    device = job.model.device
    settings = plan.inference.settings
    unit_count = len(plan.units)
    # Of CSV only reading tells.
    most_rows = max(unit.rows or job.sink.rows_per_file for unit in plan.units)
    preprocess = [step.step for step in plan.steps]
    schema = plan.output_plan.file_format.schema
    columns = [f"{column.name}: {column.type}" for column in schema]
    lines = {
        "job": job.name,
        "run id": plan.run.run_id,
        "input": _describe_input(plan),
        "left out": summary.left_out_paths(plan.ignored),
        "units": (
            f"{unit_count:,} of at most {most_rows:,} rows; "
            f"batches of {plan.rows_per_batch:,}, mini-batches of {settings.batch_rows:,}"
        ),
        "model": f"{card.name} {card.version} ({digest}), {device} {settings}",
        "preprocess": " -> ".join(preprocess),
        "columns out": ", ".join(columns),
        "output": summary.shown_path(plan.run.output),
    }
    return summary.table(lines)


def _describe_checked(
    plan: Plan,
    first: Trial,
    others: Sequence[Trial],
    missing: Sequence[Missing],
) -> str:
    """Return exactly what was looked at, and what was not."""
    shard_count = len(plan.shards)
    headers = "footers" if plan.job.source.format == "parquet" else "headers"
    rows = [trial.batch.rows_in for trial in (first, *others)]
    shards = {trial.batch.unit.shard for trial in (first, *others)}
    sampled = (
        f"{sum(rows):,} rows at {len(rows):,} places (beginning, middle, end) "
        f"of {len(shards):,} of {shard_count:,} shards"
    )
    if begun := count_begun((first, *others)):
        sampled += (
            f"; of {begun:,} of them the beginning alone, as only reading tells where their rows "
            "begin: they hold quotes, have one column, are compressed or large"
        )
    lines = {
        "checked": f"{headers} of all {shard_count:,} shards: columns and types",
        "missing": describe_missing(missing, shard_count),
        "sampled": sampled,
        "not checked": _describe_unchecked(plan, sum(rows)),
    }
    return summary.table(lines)


def _describe_unchecked(plan: Plan, sampled_rows: int) -> str:
    rest = "all other rows"
    if plan.rows is not None:
        rest = f"the other {plan.rows - sampled_rows:,} rows"
        if plan.rows <= sampled_rows:
            return "nothing but what only a whole run shows"
    types = [plan.schema.field(column.name).type for column in plan.package.card.columns]
    nan = ""
    if any(pa.types.is_floating(dtype) for dtype in types):
        nan = ", and NaN in them, which counts as missing and is in no statistics"
    return f"the values of {rest}{nan}"


def _refuse_over_budget(plan: Plan, missing: Sequence[Missing]) -> None:
    """Refuse an input of which more rows are rejected for certain than the job allows."""
    if plan.rows is None:
        return
    errors = plan.job.errors
    totals = {"in": plan.rows, "rejected": count_rejected_at_least(missing)}
    check_budget(
        totals,
        errors.max_rejected_rows,
        errors.max_rejected_percent,
        "these are the missing values that footers tell of; mend the input or raise the budget",
    )


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
