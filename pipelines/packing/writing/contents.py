"""What any model package holds beside its weights, read off a model and rows that it scored."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from configs.fields import Fields
from model_zoo.arrays import Arrays
from model_zoo.evaluation.data_profile import profile_table
from model_zoo.tensor_columns import to_column
from pipelines.packing.proof.finite import find_finite
from pipelines.packing.proof.scored_as import ScoredAs
from transforms.score_columns import is_of_label_sets, is_of_tokens, score_columns
from transforms.scores.options import ScoreColumns
from transforms.scores.tokens import take_tokens

# Enough that every kind of row may be among them, few enough that loading a model stays quick.
_SMOKE_ROWS = 16
Columns: TypeAlias = dict[str, pa.Array]


@dataclass(frozen=True)
class ScoredRows:
    """Rows with what the network takes and gives for them.

    Attributes:
        rows: the model's columns, first to last as the contract names them.
        inputs, outputs: arrays (rows, ...) by name.
    """

    rows: pa.Table
    inputs: Arrays
    outputs: Arrays


def make_smoke_table(scored: ScoredRows, rows: int = _SMOKE_ROWS) -> pa.Table:
    """Return the first rows: the contract's columns, then `input.<name>` and `output.<name>`.

    Args:
        scored: the rows.
        rows: how many.
    """
    is_finite = find_finite(scored.outputs)
    # What is no number equals no other: a row that gives NaN would never be what it was.
    if is_finite.any() and not is_finite[:rows].all():
        places = np.flatnonzero(is_finite)
        scored = _take_rows(scored, places[:rows])
    table = scored.rows.slice(0, rows)
    table = _append_arrays(table, "input", scored.inputs, rows)
    return _append_arrays(table, "output", scored.outputs, rows)


def make_profile(scored: ScoredRows, scored_as: ScoredAs) -> pa.Table:
    """Return the profile of the model's columns and of its scores.

    Args:
        scored: the rows.
        scored_as: how scores are made of the outputs.
    """
    features: Columns = {}
    for name in scored.rows.column_names:
        column = scored.rows.column(name)
        features[name] = column.combine_chunks()
    scores = _list_scores(scored.outputs, scored_as)
    return profile_table(features, scores)


def describe_arrays(arrays: Arrays) -> Fields:
    """Return dtype, and shape without the rows, of arrays by name."""
    tensors: Fields = {}
    for name, array in arrays.items():
        dtype = str(array.dtype)
        row_shape = list(array.shape[1:])
        tensors[name] = {"dtype": dtype, "shape": row_shape}
    return tensors


def _take_rows(scored: ScoredRows, places: np.ndarray) -> ScoredRows:
    rows = scored.rows.take(places)
    inputs = {name: array[places] for name, array in scored.inputs.items()}
    outputs = {name: array[places] for name, array in scored.outputs.items()}
    return ScoredRows(rows, inputs, outputs)


def _append_arrays(
    table: pa.Table,
    prefix: str,
    arrays: Arrays,
    rows: int,
) -> pa.Table:
    for name, array in arrays.items():
        column = to_column(array[:rows])
        table = table.append_column(f"{prefix}.{name}", column)
    return table


def _list_scores(outputs: Arrays, scored_as: ScoredAs) -> Columns:
    """Return the scores that a reader sees, and the raw outputs, one column per class."""
    scores = _list_read(outputs, scored_as)
    how = scored_as.how
    places = scored_as.places
    for name, array in outputs.items():
        values = array
        is_of_tokens = array.ndim > 2 and array.shape[1] == how.tokens
        if places is not None and is_of_tokens:
            # Of each class over all tokens: nobody compares the seventh tokens of texts.
            values = take_tokens(array, places.lengths)
        # (rows, ...) -> (rows, numbers of a row)
        wide = values.reshape(len(values), -1)
        numbers = wide.shape[1]
        if numbers == 1:
            scores[name] = _take_column(wide, 0)
            continue
        for number in range(numbers):
            scores[f"{name}[{number}]"] = _take_column(wide, number)
    return scores


def _list_read(outputs: Arrays, scored_as: ScoredAs) -> Columns:
    """Return the scores that a reader sees: numbers and labels, of tokens those of all of them."""
    how = scored_as.how
    if how.activation == "none":
        return {}
    first = next(iter(outputs.values()))
    row_shape = first.shape[1:]
    if is_of_tokens(how.activation, row_shape):
        columns = score_columns(outputs, how, ("tokens",), scored_as.places)
        # A list of tokens for each row -> all tokens.
        tokens = columns["tokens"].flatten()
        return {name: tokens.field(name) for name in ("label", "score")}
    if is_of_label_sets(how.activation, row_shape):
        return _list_probabilities(outputs, how)
    return score_columns(outputs, how, ("probability", "label"))


def _list_probabilities(outputs: Arrays, how: ScoreColumns) -> Columns:
    """Return the probability of each label, where a row may have any number of them."""
    columns = score_columns(outputs, how, ("probabilities",))
    lists = columns["probabilities"]
    flat = lists.flatten().to_numpy()
    # (rows, labels)
    wide = flat.reshape(len(lists), -1)
    names = how.labels
    if not names:
        # Labels without names are called by their numbers.
        first = next(iter(outputs.values()))
        numbers = range(first.shape[1])
        names = tuple(map(str, numbers))
    probabilities = {}
    for number, name in enumerate(names):
        probabilities[f"probability[{name}]"] = _take_column(wide, number)
    return probabilities


def _take_column(wide: np.ndarray, number: int) -> pa.Array:
    # Arrow takes over only what lies side by side in memory.
    values = np.ascontiguousarray(wide[:, number])
    return pa.array(values)
