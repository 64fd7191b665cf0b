"""The graph of a scoring run, on whatever runner.

root | ReadShards | Preprocess | Predict | Postprocess | WriteShards | PublishRun
"""

from dataclasses import replace
from functools import partial

import apache_beam as beam

from model_zoo.scoring.loading import load_model
from pipelines.planning.manifest_head import manifest_head
from pipelines.planning.plan import Plan
from pipelines.planning.scoring import scoring_of
from pipelines.planning.workers import Workers
from transforms.announce import Published
from transforms.formats.filtered import FilteredFormat
from transforms.formats.format import Format, ReadsListedFiles
from transforms.formats.loading import LoadingFormat
from transforms.formats.table_files import TableFormat
from transforms.lakes.stored_files import TableFiles
from transforms.postprocess import Postprocess
from transforms.predict import Predict
from transforms.preprocess import Preprocess
from transforms.publish import PublishRun
from transforms.read import ReadShards
from transforms.write import WriteShards


def build(
    root: beam.Pipeline,
    plan: Plan,
    workers: Workers,
) -> beam.PCollection[Published]:
    """Build the whole graph.

    Args:
        root: the pipeline.
        plan: what the run does.
        workers: of one machine.
    """
    job = plan.job
    card = plan.package.card
    output_plan = plan.output_plan

    read = ReadShards(
        run=plan.run,
        schema=plan.schema,
        format=_choose_reader(plan),
        rows_per_batch=plan.rows_per_batch,
        record=plan.record,
        goes_on=plan.broken_rules.goes_on,
    )
    preprocess = Preprocess(
        contract=plan.contract,
        steps=plan.steps,
        inputs=card.inputs,
        timeout_seconds=job.model.timeout_seconds,
        summaries=plan.summaries,
        checks=plan.checks,
    )
    load = partial(load_model, scoring_of(plan, workers))
    predict = Predict(load, job.model.not_finite, card.mask, plan.run)
    postprocess = Postprocess(
        wanted=plan.written_columns,
        format=job.sink.format,
        text=output_plan.text,
        partition_by=job.sink.partition_by,
        summaries=plan.summaries,
    )
    write = WriteShards(plan.run, output_plan.file_format, plan.summaries)
    publish = PublishRun(
        run=plan.run,
        manifest=manifest_head(plan),
        max_rejected_rows=job.errors.max_rejected_rows,
        max_rejected_percent=job.errors.max_rejected_percent,
        summaries=plan.summaries,
        broken=plan.broken_rules,
        rules=plan.rules,
    )
    return root | read | preprocess | predict | postprocess | write | publish


def _choose_reader(plan: Plan) -> Format:
    """Return how workers read: what is as large as there are files comes from where it is stored."""
    reader = plan.format
    if isinstance(reader, ReadsListedFiles):
        reader = reader.with_stored_list(plan.run.listed_files)
    return _with_stored_table(reader, plan.run.table_files)


def _with_stored_table(format: Format, url: str) -> Format:
    """Return the format whose workers read what a table's log said where it is stored."""
    if isinstance(format, TableFormat):
        return replace(format, files=TableFiles(url))
    # Filters, and readers of files that rows name, stand around it.
    if isinstance(format, FilteredFormat | LoadingFormat):
        inner = _with_stored_table(format.inner, url)
        return replace(format, inner=inner)
    return format
