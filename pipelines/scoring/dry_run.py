"""A dry run: plan and check everything, score a few rows in memory, write nothing."""

from collections.abc import Iterator, Sequence
from functools import partial

from pyarrow import Table
from pyarrow.types import is_floating

from model_zoo.remote.target import describe_target
from model_zoo.scoring.loading import load_model
from pipelines.cli.command_line import say, workers_kept_quiet
from pipelines.planning.plan import Plan
from pipelines.planning.scoring import scoring_of
from pipelines.planning.workers import Workers
from pipelines.scoring import summary
from pipelines.scoring.missing_values import (
    Missing,
    count_missing,
    count_rejected_at_least,
    describe_missing,
    refuse_missing,
)
from pipelines.scoring.trial_rows import Trial, count_begun, try_first_rows, try_places
from transforms.batches import RawBatch, RejectedBatch
from transforms.broken_shard import BrokenShard
from transforms.output.books import check_budget
from transforms.predict import Load

_DIGEST_CHARACTERS = 12


def try_plan(plan: Plan) -> int:
    """Score a few rows of a plan in memory, write nothing, and return the exit status."""
    scoring = scoring_of(plan, Workers(count=1, processes=1))
    load = partial(load_model, scoring)
    return dry_run(plan, load)


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
    trials = [first, *others]
    missing = count_missing(plan)

    say(plan_table(plan))
    _say_estimate(plan, first)
    rejected: list[RejectedBatch] = []
    for trial in trials:
        rejected += trial.scored.rejected
    if rejected:
        say(summary.rejected_rows(rejected))
    say(_describe_checked(plan, trials, missing))
    for shard in _list_unread(trials):
        say(f"  {summary.shown_reason(shard.describe())}; how many rows are lost, nobody knows")
    scored = first.scored.rows
    table = Table.from_batches([scored])
    say(summary.shown_rows(table))
    # What is certain, though no row of it was seen; last, so that all else is shown before.
    refuse_missing(missing)
    _refuse_over_budget(plan, missing)
    say("dry run: what was checked fits together; nothing was written")
    return 0


def _list_unread(trials: Sequence[Trial]) -> Iterator[BrokenShard]:
    """Yield shards that broke in a trial and of whose lost rows none has a record."""
    for trial in trials:
        for shard in trial.batch.broken:
            if shard.rows is None:
                yield shard


def _say_estimate(plan: Plan, first: Trial) -> None:
    """Say how long all rows take, where anybody knows how many there are."""
    rows = first.batch.rows_in
    # Rows that are left out take next to no time.
    if plan.rows is None or not len(first.batch):
        return
    seconds = first.seconds
    estimate = plan.rows * seconds / rows
    say(f"  estimate: {estimate:,.1f} s with one worker, from {rows:,} rows in {seconds:.3f} s")


def plan_table(plan: Plan) -> str:
    """Return what a run would do."""
    job = plan.job
    card = plan.package.card
    digest = plan.package.digest[:_DIGEST_CHARACTERS]
    device = job.model.device
    settings = plan.inference.settings
    unit_count = len(plan.units)
    # Of CSV only reading tells.
    limit = job.sink.rows_per_file
    most_rows = max(unit.rows or limit for unit in plan.units)
    preprocess = [step.step for step in plan.steps]
    schema = plan.output_plan.file_format.schema
    columns = [f"{column.name}: {column.type}" for column in schema]
    lines = {
        "job": job.name,
        "run id": plan.run.run_id,
        "input": _describe_input(plan),
        "left out": summary.left_out_paths(plan.ignored),
        **_describe_broken(plan),
        **_describe_filter(plan),
        "units": (
            f"{unit_count:,} of at most {most_rows:,} rows; "
            f"batches of {plan.rows_per_batch:,}, mini-batches of {settings.batch_rows:,}"
        ),
        "model": f"{card.name} {card.version} ({digest}), {device} {settings}",
        **_describe_server(plan),
        "preprocess": " -> ".join(preprocess),
        "columns out": ", ".join(columns),
        "output": summary.shown_path(plan.run.output),
    }
    return summary.table(lines)


def _describe_server(plan: Plan) -> dict[str, str]:
    """Return the server that computes the model; nothing where that is this machine."""
    if plan.served is None:
        return {}
    return {"server": describe_target(plan.served.target, plan.served.server)}


def _describe_broken(plan: Plan) -> dict[str, str]:
    """Return which shards are left out, as they cannot be read; nothing where all can."""
    if not plan.broken:
        return {}
    return {"broken": summary.broken_shards([shard.describe() for shard in plan.broken])}


def _describe_filter(plan: Plan) -> dict[str, str]:
    """Return the filter of the input, and what is not opened for it; nothing where there is none."""
    where = plan.job.source.where
    if where is None:
        return {}
    lines = {"rows where": where}
    if plan.pruned:
        lines["pruned"] = summary.pruned_files(plan.pruned)
    return lines


def _describe_checked(
    plan: Plan,
    trials: Sequence[Trial],
    missing: Sequence[Missing],
) -> str:
    """Return exactly what was looked at, and what was not."""
    shard_count = len(plan.shards)
    sampled_rows = sum(trial.batch.rows_in for trial in trials)
    lines = {
        "checked": _describe_schemas(plan.job.source.format, shard_count),
        "missing": describe_missing(missing, shard_count),
        "sampled": _describe_sampled(trials, sampled_rows, shard_count),
        "not checked": _describe_unchecked(plan, sampled_rows),
    }
    return summary.table(lines)


def _describe_schemas(input_format: str, shard_count: int) -> str:
    """Return where columns and types were looked up."""
    if input_format == "files":
        return f"names and sizes of all files in {shard_count:,} folders"
    # Parquet has its schema at the end of a file.
    headers = "headers"
    if input_format == "parquet":
        headers = "footers"
    return f"{headers} of all {shard_count:,} shards: columns and types"


def _describe_sampled(trials: Sequence[Trial], rows: int, shard_count: int) -> str:
    place_count = len(trials)
    # Several places may be of one shard.
    shards: set[str] = set()
    for trial in trials:
        shards |= _list_shards(trial.batch)
    sampled_count = len(shards)
    sampled = (
        f"{rows:,} rows at {place_count:,} places (beginning, middle, end) "
        f"of {sampled_count:,} of {shard_count:,} shards"
    )
    left_out = sum(trial.batch.rows_left_out for trial in trials)
    if left_out:
        sampled += f", {left_out:,} of which source.where leaves out"
    begun = count_begun(trials)
    if begun:
        sampled += (
            f"; of {begun:,} of them the beginning alone, as only reading tells where their rows "
            "begin: they hold quotes, have one column, are compressed or large"
        )
    return sampled


def _list_shards(batch: RawBatch) -> set[str]:
    """Return the shards that the rows of a batch are of."""
    unit = batch.unit
    if not unit.members:
        return {unit.shard}
    # Once, as what is packed is made again each time.
    members = tuple(unit.members)
    return {members[number].shard for number in batch.rows_in_of}


def _describe_unchecked(plan: Plan, sampled_rows: int) -> str:
    rest = "all other rows"
    if plan.rows is not None:
        other_rows = plan.rows - sampled_rows
        # All of a small input is looked at.
        if other_rows <= 0:
            return "nothing but what only a whole run shows"
        rest = f"the other {other_rows:,} rows"
    nan = ""
    if _takes_floats(plan):
        nan = ", and NaN in them, which counts as missing and is in no statistics"
    return f"the values of {rest}{nan}"


def _takes_floats(plan: Plan) -> bool:
    """Tell whether a column of the model can hold NaN."""
    for column in plan.package.card.columns:
        field = plan.schema.field(column.name)
        if is_floating(field.type):
            return True
    return False


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
    # Of CSV only reading tells.
    rows = "rows counted while reading"
    if plan.rows is not None:
        rows = f"{plan.rows:,} rows"
    file_count = len(plan.shards)
    kind = plan.job.source.format
    # Those that rows name, or of a source of files the rows themselves.
    files = plan.files
    named = f"{files.count:,} files of {files.size_bytes:,} bytes"
    if kind == "files":
        return f"{named}, {rows}"
    described = f"{file_count:,} {kind} files, {size_bytes:,} bytes, {rows}"
    # Where no row names a file, there is nothing to say of them.
    if not files.content:
        return described
    return f"{described}, which name {named}"
