"""What a run writes: which score columns, in which types and order, and how its files look."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from pyarrow import DataType, Schema
from pyarrow.types import is_dictionary, is_fixed_size_list, is_list

from configs.errors import JobError
from configs.suggest import nearest
from model_zoo.arrays import Arrays
from model_zoo.package.card import ModelCard
from model_zoo.steps.table import AnyStep
from model_zoo.steps.tokenize import TokenText
from pipelines.planning.arrow_types import parse_type
from pipelines.planning.jobs import ScoringJob, choose_activation
from pipelines.planning.output_partitions import check_partitions
from pipelines.planning.output_plan import OutputPlan
from pipelines.planning.recorded_columns import refuse_unrecorded
from pipelines.planning.token_text import count_tokens, find_token_text
from transforms.formats.format import no_rows
from transforms.formats.output import FileFormat, find_output_format
from transforms.logical_types import is_text
from transforms.output.row_groups import can_sort
from transforms.postprocess_rows import postprocess_rows
from transforms.score_columns import is_of_tokens, list_default_columns
from transforms.scores.options import ScoreColumns
from transforms.source_columns import make_no_source_columns
from transforms.token_places import find_places
from transforms.where import where_columns
from transforms.written_columns import WrittenColumns

_DESCENDING = " desc"
# Score columns that tell places in texts.
_PLACED = frozenset(("tokens", "spans"))
Names: TypeAlias = Sequence[str]
# A column and its order, as pyarrow takes them. A plain tuple, as it is pickled for the workers.
SortKey: TypeAlias = tuple[str, str]


def plan_output(
    job: ScoringJob,
    card: ModelCard,
    digest: str,
    schema: Schema,
    steps: Sequence[AnyStep] = (),
) -> OutputPlan:
    """Decide what is written, by taking no rows through postprocessing.

    Args:
        job: the job.
        card, digest: the model's.
        schema: the columns that are read.
        steps: all that run, in their order.

    Raises:
        JobError: names, types or options that do not fit together, or cannot be stored or sorted.
    """
    refuse_unrecorded(schema, job.source.key, job.errors.store_values)
    scores = _plan_scores(job, card, digest)
    keep = job.postprocess.keep
    if keep is None:
        shapes = {name: tensor.shape for name, tensor in card.outputs.items()}
        keep = list_default_columns(scores, shapes)
    _check_labels(scores, card)
    _check_names(scores, keep)

    rows = no_rows(schema)
    outputs = _make_no_outputs(card)
    text = _find_text(job, card, scores, keep, steps)
    places = None
    if card.mask is not None:
        no_numbers = np.zeros(0, dtype=np.int64)
        places = find_places(rows, no_numbers, text)
    sources = None
    if scores.with_source:
        sources = make_no_source_columns()
    wanted = WrittenColumns(job.source.carried, scores, keep, job.postprocess.where)
    scored = postprocess_rows(rows, outputs, wanted, places, sources)
    # So that a file says which model made it, wherever it is copied to.
    metadata = {"model.name": card.name, "model.version": card.version, "model.digest": digest}
    columns = scored.schema.with_metadata(metadata)
    file_format = _plan_files(job, columns)
    nested = _list_nested(columns, job.source.carried)
    return OutputPlan(scores, keep, file_format, text, nested)


def _list_nested(schema: Schema, carried: Names) -> tuple[str, ...]:
    """Return the score columns that are lists of lists of numbers."""
    names = []
    for field in schema:
        # What is carried was not scored, whatever its type.
        if field.name in carried:
            continue
        if _holds_lists(field.type) and is_fixed_size_list(field.type.value_type):
            names.append(field.name)
    return tuple(names)


def _holds_lists(dtype: DataType) -> bool:
    return is_list(dtype) or is_fixed_size_list(dtype)


def _make_no_outputs(card: ModelCard) -> Arrays:
    """Return what the network would give for no rows."""
    outputs = {}
    for name, tensor in card.outputs.items():
        shape = (0, *tensor.shape)
        outputs[name] = np.empty(shape, dtype=tensor.dtype)
    return outputs


def _plan_scores(job: ScoringJob, card: ModelCard, digest: str) -> ScoreColumns:
    wanted = job.postprocess
    labels = wanted.labels
    if labels is None:
        labels = card.labels
    constants = {}
    if wanted.model_columns:
        constants = {
            "model_name": card.name,
            "model_version": card.version,
            "model_digest": digest,
        }
    dtypes = {}
    for name, text in wanted.dtypes.items():
        place = f"postprocess.dtypes.{name}"
        dtypes[name] = parse_type(text, place)
    activation = choose_activation(job, card)
    # Of a regression the labels are the names of its numbers.
    numbers: tuple[str, ...] = ()
    if activation == "none" and card.task == "regression":
        numbers = labels
    return ScoreColumns(
        activation=activation,
        labels=labels,
        threshold=wanted.threshold,
        thresholds=wanted.thresholds,
        top_k=wanted.top_k,
        numbers=numbers,
        tokens=count_tokens(card),
        rename=wanted.rename,
        dtypes=dtypes,
        constants=constants,
        with_source=job.sink.source_columns,
    )


def _find_text(
    job: ScoringJob,
    card: ModelCard,
    scores: ScoreColumns,
    keep: Names,
    steps: Sequence[AnyStep],
) -> TokenText | None:
    """Return the text that tokens are cut from; None where nobody asks for their places."""
    mask = card.mask
    if mask is None:
        return None
    row_shape = _get_row_shape(card)
    if not is_of_tokens(scores.activation, row_shape):
        return None

    named = set(keep)
    where = job.postprocess.where
    if where:
        named.update(where_columns(where))
    new_names = {scores.rename.get(name, name) for name in _PLACED}
    if named.isdisjoint(_PLACED | new_names):
        return None
    # An input without a column of its own takes the column of its name.
    column = card.inputs[mask].column or mask
    return find_token_text(column, card.columns, steps)


def _get_row_shape(card: ModelCard) -> tuple[int, ...]:
    """Return the shape of a row of the first output: only a single one has an activation."""
    first = next(iter(card.outputs.values()))
    return first.shape


def _plan_files(job: ScoringJob, columns: Schema) -> FileFormat:
    sink = job.sink
    output_format = find_output_format(sink.format)
    problem = output_format.find_problem(columns, sink.escape_formulas)
    if problem is not None:
        raise JobError(problem)

    check_partitions(sink.partition_by, job.source, columns)
    texts = [field.name for field in columns if _repeats(field.type)]
    # Texts repeat, and a dictionary stores each once; keys do not.
    repeating = [name for name in texts if name != job.source.key]
    return FileFormat(
        format=sink.format,
        schema=columns,
        repeating=tuple(repeating),
        sort_by=_parse_sort_keys(job.postprocess.sort_by, columns),
        rows_per_file=sink.rows_per_file,
        escape_formulas=sink.escape_formulas,
        partition_by=sink.partition_by,
    )


def _repeats(dtype: DataType) -> bool:
    # A pass-through column that was stored as a dictionary holds texts as a rule.
    if is_text(dtype):
        return True
    return bool(is_dictionary(dtype))


def _check_names(scores: ScoreColumns, keep: Names) -> None:
    """Refuse a new name or dtype for a score column that is not written."""
    rename = scores.rename
    for name in sorted(rename):
        if name not in keep:
            hint = nearest(name, keep)
            raise JobError(
                f"postprocess.rename names {name!r}, which postprocess.keep does not{hint}"
            )

    written = [rename.get(name, name) for name in keep]
    for name in sorted(scores.dtypes):
        if name not in written:
            hint = nearest(name, written)
            raise JobError(f"postprocess.dtypes names {name!r}, which is not a score column{hint}")


def _check_labels(scores: ScoreColumns, card: ModelCard) -> None:
    """Refuse labels or a `top_k` that do not fit the number of classes."""
    if scores.activation == "none":
        return
    row_shape = _get_row_shape(card)
    width = row_shape[-1] if row_shape else 1
    # A sigmoid's one number is about the second of two classes.
    is_of_two = scores.activation == "sigmoid" and width == 1
    classes = 2 if is_of_two else width
    if scores.labels and len(scores.labels) != classes:
        raise JobError(
            f"postprocess.labels must name {classes} classes for this model, "
            f"got {len(scores.labels)}"
        )
    # Of two classes or of tokens, whoever asks for the best of many is refused by name.
    is_ranked = not is_of_two and not is_of_tokens(scores.activation, row_shape)
    if is_ranked and scores.top_k > classes:
        raise JobError(
            f"postprocess.top_k must be <= {classes}, the model's classes, got {scores.top_k}"
        )


def _parse_sort_keys(sort_by: Names, columns: Schema) -> tuple[SortKey, ...]:
    """Return `name` and `name desc` as pyarrow takes them."""
    keys = []
    for text in sort_by:
        name = text.removesuffix(_DESCENDING)
        if name not in columns.names:
            names = ", ".join(columns.names)
            raise JobError(f"postprocess.sort_by names column {name!r}; the output has {names}")
        dtype = columns.field(name).type
        if not can_sort(dtype):
            raise JobError(f"postprocess.sort_by: column {name!r} of type {dtype} has no order")
        order = "ascending"
        if text.endswith(_DESCENDING):
            order = "descending"
        keys.append((name, order))
    return tuple(keys)
