"""The graph of a scoring run, on whatever runner.

root | ReadShards | Preprocess | Predict | Postprocess | WriteShards | PublishRun
"""

import apache_beam as beam

from pipelines.planning.loading import with_stored_list
from pipelines.planning.manifest_head import manifest_head
from pipelines.planning.plan import Plan
from pipelines.planning.scoring import scoring_of
from pipelines.planning.table_reading import with_stored_table
from transforms.batches import RowRecord
from transforms.postprocess import Postprocess
from transforms.predict import Predict
from transforms.preprocess import Preprocess
from transforms.publish import Published, PublishRun
from transforms.read import ReadShards
from transforms.write import WriteShards


def build(
    root: beam.Pipeline,
    plan: Plan,
    workers: int,
) -> beam.PCollection[Published]:
    """Build the whole graph.

    Args:
        root: the pipeline.
        plan: what the run does.
        workers: how many workers share one machine.
    """
    job = plan.job
    card = plan.package.card
    output_plan = plan.output_plan
    errors = job.errors
    record = RowRecord(job.source.key, errors.store_values)
    head = manifest_head(plan)

    with_list = with_stored_list(plan.format, plan.run.listed_files)
    read = ReadShards(
        run=plan.run,
        schema=plan.schema,
        format=with_stored_table(with_list, plan.run.table_files),
        rows_per_batch=plan.rows_per_batch,
        record=record,
    )
    preprocess = Preprocess(
        contract=plan.contract,
        steps=plan.steps,
        inputs=card.inputs,
        timeout_seconds=job.model.timeout_seconds,
    )
    scoring = scoring_of(plan, workers)
    predict = Predict(scoring.load, job.model.not_finite, card.mask, plan.run)
    postprocess = Postprocess(
        carried=job.source.carried,
        scores=output_plan.scores,
        keep=output_plan.keep,
        where=job.postprocess.where,
        format=job.sink.format,
        text=output_plan.text,
        partition_by=job.sink.partition_by,
    )
    write = WriteShards(plan.run, output_plan.file_format)
    publish = PublishRun(
        run=plan.run,
        manifest=head,
        max_rejected_rows=errors.max_rejected_rows,
        max_rejected_percent=errors.max_rejected_percent,
    )
    return root | read | preprocess | predict | postprocess | write | publish
