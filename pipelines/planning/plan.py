"""What a run will do, decided and frozen before the first worker starts.

It is made in `make_plan.py`; whoever reads it needs nothing of that.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from pyarrow import Schema

from configs.job import AnyJob
from model_zoo.architectures.users_own import is_ours
from model_zoo.engines.settings import DEFAULT_ENGINE
from model_zoo.evaluation.findings import Rules
from model_zoo.package.card import InputColumn
from model_zoo.package.package import Package
from model_zoo.steps.table import AnyStep
from pipelines.planning.broken_rules import find_broken_rules
from pipelines.planning.filled import with_job_fills
from pipelines.planning.inference_settings import InferenceSettings
from pipelines.planning.listed_files import ListedFiles
from pipelines.planning.output_plan import OutputPlan
from pipelines.planning.planned_table import PlannedTable
from pipelines.planning.served import Served
from storage import files
from storage.packed import pack_many
from storage.run_folder import RunFolder
from transforms.batches import RowRecord, WorkUnit
from transforms.broken_budget import BrokenRules
from transforms.broken_shard import BrokenShard
from transforms.checks.column_check import ColumnCheck
from transforms.formats.format import Format, Shard
from transforms.output.compared_reference import (
    ComparedReference,
    decode_reference,
    encode_reference,
)
from transforms.output.plan_file import StoredPlan, encode_plan, read_plan
from transforms.rejected import describe_records
from transforms.summaries.summary import Summary
from transforms.written_columns import WrittenColumns


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        job, package: the job and its model.
        run: where the run's files go.
        shards, ignored: input files, and URLs that were left out.
        units: the units of work. They and the shards are `Packed` where they are many, as the
            launcher holds the plan for as long as the run takes.
        schema: the columns that are read.
        format: how the input files are read.
        files: the files that rows name, and the list of them that is stored.
        inference: how the network computes.
        rows_per_batch: rows that travel together, at most.
        steps: the job's own preprocessing, then the model's.
        output_plan: what is written.
        planned_at: when the launch began, before it looked at its inputs: of two launches the later
            one decides what readers follow.
        pruned: how many input files are not opened, as no row of theirs can pass `source.where`.
        table: the table with a log that is read; None where files are.
        summaries: what is computed beside the scores.
        broken: input files that are left out, as they cannot be read.
        checks: what a row must pass, or is rejected.
        rules, reference: from which changes on the run is held back, and what it is compared with; None
            where that is nothing.
        served: the server that computes the model; None where an engine does here.
    """

    job: AnyJob
    package: Package
    run: RunFolder
    shards: Sequence[Shard]
    ignored: tuple[str, ...]
    units: Sequence[WorkUnit]
    schema: Schema
    format: Format
    files: ListedFiles
    inference: InferenceSettings
    rows_per_batch: int
    steps: tuple[AnyStep, ...]
    output_plan: OutputPlan
    planned_at: datetime
    pruned: int = 0
    table: PlannedTable | None = None
    summaries: tuple[Summary, ...] = ()
    broken: tuple[BrokenShard, ...] = ()
    checks: tuple[ColumnCheck, ...] = ()
    rules: Rules | None = None
    reference: ComparedReference | None = None
    served: Served | None = None

    @property
    def contract(self) -> tuple[InputColumn, ...]:
        """Return every model column with what a missing value does in this run."""
        return with_job_fills(self.package.card.columns, self.job.preprocess.steps)

    @property
    def record(self) -> RowRecord:
        """Return what is kept of a rejected row."""
        return RowRecord(self.job.source.key, self.job.errors.store_values)

    @property
    def broken_rules(self) -> BrokenRules:
        """Return what the job says of broken shards, and how those are recorded."""
        records = describe_records(self.schema, self.record)
        return replace(find_broken_rules(self.job), records=records)

    @property
    def written_columns(self) -> WrittenColumns:
        """Return which columns are written, and of which rows."""
        written = self.output_plan
        where = self.job.postprocess.where
        return WrittenColumns(self.job.source.carried, written.scores, written.keep, where)

    @property
    def calls_our_network_alone(self) -> bool:
        """Tell whether torch calls one of this program's networks on a CPU, as it is written, and no more."""
        card = self.package.card
        settings = self.inference.settings
        is_our_network = bool(card.builder) and is_ours(card.builder)
        is_plain = settings.engine == DEFAULT_ENGINE and settings.is_reference
        is_here = self.job.model.device == "cpu" and not self.job.users_modules
        return is_our_network and is_plain and is_here

    @cached_property
    def rows(self) -> int | None:
        """Return the number of input rows; None when only reading tells (CSV)."""
        rows = 0
        for shard in self.shards:
            if shard.rows is None:
                return None
            rows += shard.rows
        return rows


def store_plan(plan: Plan) -> Plan:
    """Put the units where the graph reads them, and return the plan as it stands there.

    A plan that an interrupted launch left is of the same work, and stays; but an earlier version of this
    program may have cut it into other units, and those of them that are done are not scored again.
    """
    inputs = pack_many(_describe_shard(shard) for shard in plan.shards)
    stored = StoredPlan(
        units=plan.units,
        inputs=inputs,
        ignored_inputs=plan.ignored,
        table=None if plan.table is None else plan.table.describe(),
        broken=plan.broken,
    )
    # First: the plan names units of which every row's file must be listed.
    if plan.files.content:
        files.create(plan.run.listed_files, plan.files.content)
    if plan.table is not None:
        files.create(plan.run.table_files, plan.table.encode())
    if plan.reference is not None:
        _freeze_reference(plan.run, plan.reference)
    content = encode_plan(stored)
    if files.create(plan.run.plan, content):
        return plan
    standing = read_plan(plan.run.plan)
    return replace(plan, units=standing.units)


def _freeze_reference(run: RunFolder, reference: ComparedReference) -> None:
    """Put what the run is compared with where it is published; what an earlier launch found stays."""
    content = encode_reference(reference)
    if files.create(run.reference, content):
        return
    # Unless the job asks for another one by now, or a crash of the machine has left half of it.
    with suppress(ValueError):
        standing = decode_reference(files.read(run.reference) or b"")
        if standing.head.asked == reference.head.asked:
            return
    files.replace(run.reference, content)


def _describe_shard(shard: Shard) -> dict[str, Any]:
    file = shard.file
    return {
        "url": file.url,
        "bytes": file.bytes,
        "version": file.version,
        "rows": shard.rows,
    }
