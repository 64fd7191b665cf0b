"""Cuts large shards into pieces, of which each is a unit of work."""

from collections.abc import Sequence

from model_zoo.package.card import ModelCard
from pipelines.planning.shards import choose_files_per_unit, choose_rows_per_unit, cut_into_units
from transforms.batches import WorkUnit
from transforms.formats.format import Format, Shard


def cut_shards(
    shards: Sequence[Shard],
    reader: Format,
    card: ModelCard,
    rows_per_file: int,
    batch_rows: int,
    row_work: int,
    rows_name_files: bool,
) -> Sequence[WorkUnit]:
    """Return shards in pieces of which each is a unit, as far as none is too small.

    Args:
        shards: in the order in which they are read.
        reader: their format.
        card: of the model, whose files each worker has to read first.
        rows_per_file: that the job allows in a file of scores.
        batch_rows: rows of a mini-batch.
        row_work: of a row, as `estimate_row_work`.
        rows_name_files: whether what is scored stands in files that rows name.
    """
    model_bytes = sum(file.bytes for file in card.files.values())
    if rows_name_files:
        rows_per_unit = choose_files_per_unit(shards, rows_per_file, batch_rows, model_bytes)
    else:
        rows_per_unit = choose_rows_per_unit(
            shards,
            rows_per_file,
            batch_rows,
            model_bytes,
            row_work,
        )
    return cut_into_units(shards, reader, rows_per_unit)
