"""PredictionBatch -> ScoredBatch: from raw network outputs to the columns that are written.

Which columns, and how they are made, is in `postprocess_rows.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import apache_beam as beam
import numpy as np
from pyarrow import RecordBatch

from configs.errors import RejectedRows
from model_zoo.steps.tokenize import TokenText
from transforms.batch_function import BatchFunction
from transforms.batches import PredictionBatch, RawBatch, ScoredBatch, take_from_arrays
from transforms.formats.output import find_output_format
from transforms.output.partitioned_rows import find_unfit
from transforms.postprocess_rows import MadeRows, make_rows
from transforms.record_batches import filter_rows
from transforms.rejected import find_kept, reject_rows
from transforms.shard_counts import count_by_shard
from transforms.source_columns import make_source_columns
from transforms.summaries.summary import States, Summaries, merge_states, summarise
from transforms.token_places import find_places
from transforms.written_columns import WrittenColumns

# int32 (rows,), see `RawBatch`.
Members: TypeAlias = np.ndarray | None


def postprocess_batch(
    batch: PredictionBatch,
    wanted: WrittenColumns,
    format: str = "parquet",
    text: TokenText | None = None,
    partition_by: Sequence[str] = (),
    summaries: Summaries = (),
) -> ScoredBatch:
    """Return the batch as it will be written, without the rows that were rejected or filtered.

    Args:
        batch: rows, and what the model gave for them.
        wanted: what is written of them.
        format: name of the output format, which may not hold every value of a type.
        text: that the rows' tokens were cut from, where their places are asked for.
        partition_by: carried columns whose values become names of folders.
        summaries: what is computed of the scores of all rows, with those that the filter leaves out.

    Raises:
        JobError: as `postprocess_rows`.
    """
    raw = batch.raw
    outputs = batch.outputs
    lengths = batch.lengths
    # Once more after each rejection: it names all rows of one column, and each may reject some.
    while True:
        try:
            _reject_what_no_file_holds(raw.rows, wanted.carried, format, partition_by)
            places = None
            if lengths is not None:
                places = find_places(raw.rows, lengths, text)
            sources = make_source_columns(raw) if wanted.scores.with_source else None
            made = make_rows(raw.rows, outputs, wanted, places, sources)
            break
        except RejectedRows as rejected:
            kept = find_kept(len(raw), rejected)
            outputs = take_from_arrays(outputs, kept)
            if lengths is not None:
                lengths = lengths[kept]
            raw = reject_rows(raw, rejected, "postprocess")
    rows, members = _filter(made, raw.members)
    return ScoredBatch(
        unit=raw.unit,
        id=raw.id,
        rows=rows,
        rows_in=raw.rows_in,
        rows_filtered=len(raw) - rows.num_rows,
        rejected=raw.rejected,
        last=raw.last,
        computed_by=batch.computed_by,
        times=raw.times,
        rows_left_out=raw.rows_left_out,
        shards=count_by_shard(raw, members),
        # Of all of them, with those that the filter has left out.
        summaries=_add_scores(raw, made.rows, wanted, summaries),
        broken=raw.broken,
    )


@dataclass
class Postprocess(beam.PTransform):
    """`postprocess_batch` on every batch."""

    wanted: WrittenColumns
    format: str = "parquet"
    text: TokenText | None = None
    partition_by: tuple[str, ...] = ()
    summaries: Summaries = ()

    def expand(self, batches: beam.PCollection[PredictionBatch]) -> beam.PCollection[ScoredBatch]:
        postprocess = partial(
            postprocess_batch,
            wanted=self.wanted,
            format=self.format,
            text=self.text,
            partition_by=self.partition_by,
            summaries=self.summaries,
        )
        function = BatchFunction(postprocess, "postprocess")
        return batches | beam.ParDo(function).with_output_types(ScoredBatch)


def _filter(made: MadeRows, members: Members) -> tuple[RecordBatch, Members]:
    """Return the rows that the job's filter leaves in, and the number of each one's shard.

    Args:
        made: all rows.
        members: their shards.
    """
    if made.mask is None:
        return made.rows, members
    rows = filter_rows(made.rows, made.mask)
    if members is None:
        return rows, None
    return rows, members[made.mask]


def _add_scores(
    raw: RawBatch,
    rows: RecordBatch,
    wanted: WrittenColumns,
    summaries: Summaries,
) -> States:
    """Return a batch's states with what is known of scores; other columns that are written were read, or are constant.

    Args:
        raw: the rows as they were read, without those that were rejected.
        rows: as they are written.
        wanted: what is written of them.
        summaries: what is computed of them; most jobs ask for nothing.
    """
    if not summaries:
        return raw.summaries
    renamed = wanted.scores.rename
    names = [renamed.get(name, name) for name in wanted.keep]
    scores = {name: rows.column(name) for name in names}
    of_scores = summarise(summaries, "score", scores, raw.places)
    return merge_states(summaries, raw.summaries, of_scores)


def _reject_what_no_file_holds(
    rows: RecordBatch,
    carried: Sequence[str],
    format: str,
    partition_by: Sequence[str],
) -> None:
    """Reject rows with a value that the output format, or the name of a folder, cannot hold.

    Raises:
        RejectedRows: these rows.
    """
    output_format = find_output_format(format)
    unfit = output_format.find_unfit(rows, carried)
    if unfit:
        raise RejectedRows(unfit)
    nameless = find_unfit(rows, partition_by)
    if nameless:
        raise RejectedRows(nameless)
