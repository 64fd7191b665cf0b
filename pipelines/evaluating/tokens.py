"""Columns of labels of tokens, and of spans, as metrics take them.

tokens   lists of {label, start, end, score}, one for each token of the text, or of {label, score}
spans    lists of {label, start, end, score}, where `start` and `end` count characters
truth    lists of tags (texts, or class numbers) as many as there are tokens; one text of tags with
         a separator between them; or lists of {label, start, end}, which are spans
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import ChunkedArray
from pyarrow.types import is_integer, is_struct

from configs.errors import InputError
from model_zoo.evaluation.entities import Entity
from pipelines.evaluating.label_sets import hint_at_separator, holds_lists, split_texts

# What transformers' trainings give a token that has no tag, the second part of a word for example.
_NO_TAG = -100
_LABEL = "label"
_START = "start"
_END = "end"
_SPAN = (_LABEL, _START, _END)


@dataclass(frozen=True)
class Tags:
    """The tags of the rows' tokens.

    Attributes:
        truth, predicted: of each row, as many in the one as in the other.
    """

    truth: list[list[str]]
    predicted: list[list[str]]


def holds_spans(labels: ChunkedArray) -> bool:
    """Tell whether a column holds spans: lists of `{label, start, end}`."""
    dtype = labels.type
    return holds_lists(dtype) and is_struct(dtype.value_type)


def read_spans(column: ChunkedArray, name: str) -> list[set[Entity]]:
    """Return each row's spans.

    Args:
        column: lists of `{label, start, end}`; whatever else they say is left out.
        name: of the column, for messages.

    Raises:
        InputError: another kind of column, or a span without one of them.
    """
    fields = _list_fields(column)
    # Whoever marks spans may say more of them, an id or a comment.
    if not fields.issuperset(_SPAN):
        raise InputError(
            f"{name} of type {column.type} holds no spans: lists of {{label, start, end}}, where "
            "start and end count characters of the text"
        )
    rows = column.to_pylist()
    return [_read_entities(spans, name) for spans in rows]


def _read_entities(
    spans: Sequence[Mapping[str, Any]],
    name: str,
) -> set[Entity]:
    # A set: a span that stands twice is one.
    entities = set()
    for span in spans:
        label = span[_LABEL]
        start = span[_START]
        end = span[_END]
        entity = (label, start, end)
        if None in entity:
            raise InputError(f"{name}: a span lacks its label, start or end")
        entities.add(entity)
    return entities


def read_tags(
    truth: ChunkedArray,
    predicted: ChunkedArray,
    separator: str | None,
    known: Sequence[str],
    places: tuple[str, str],
) -> Tags:
    """Return true and predicted tags, without those of tokens that have no true one.

    Args:
        truth: lists of texts or of class numbers, or texts with a separator.
        predicted: lists of `{label, ...}`, one for each token.
        separator: between the tags of a text, or None.
        known: the model's labels, by class number.
        places: names of both columns, for messages.

    Raises:
        InputError: columns of another kind, or rows with more or fewer tags than tokens.
    """
    of_truth, of_prediction = places
    true_rows = _read_truth(truth, separator, known, of_truth)
    predicted_rows = _read_predicted(predicted, of_prediction)

    different = 0
    tags = Tags([], [])
    rows = zip(true_rows, predicted_rows, strict=True)
    for true_tags, predicted_tags in rows:
        # Told of all rows at once: one of them says nothing of the cause.
        if len(true_tags) != len(predicted_tags):
            different += 1
            continue
        _append_row(tags, true_tags, predicted_tags)
    if different:
        row_count = len(true_rows)
        raise InputError(
            f"{of_truth}: {different:,} of {row_count:,} rows have more or fewer tags than "
            f"{of_prediction} has tokens; where tokens are parts of words, or texts are cut, give "
            "true spans instead: lists of {label, start, end}, in characters of the text"
        )
    return tags


def _append_row(
    tags: Tags,
    true_tags: list[str | None],
    predicted_tags: list[str],
) -> None:
    true_row = []
    predicted_row = []
    pairs = zip(true_tags, predicted_tags, strict=True)
    for true_tag, predicted_tag in pairs:
        # Nobody knows what would be right there.
        if true_tag is None:
            continue
        true_row.append(true_tag)
        predicted_row.append(predicted_tag)
    tags.truth.append(true_row)
    tags.predicted.append(predicted_row)


def _read_predicted(column: ChunkedArray, name: str) -> list[list[str]]:
    fields = _list_fields(column)
    if _LABEL not in fields:
        raise InputError(f"{name} of type {column.type} holds no tokens: lists of {{label, ...}}")
    rows = []
    for tokens in column.to_pylist():
        tags = [token[_LABEL] for token in tokens]
        rows.append(tags)
    return rows


def _list_fields(column: ChunkedArray) -> set[str]:
    if not holds_spans(column):
        return set()
    fields = column.type.value_type.fields
    return {field.name for field in fields}


def _read_truth(
    column: ChunkedArray,
    separator: str | None,
    known: Sequence[str],
    name: str,
) -> list[list[str | None]]:
    """Return the tags of each row; None for a token without one."""
    whole = column.combine_chunks()
    whole = split_texts(whole, separator)
    dtype = whole.type
    if not holds_lists(dtype):
        hint = hint_at_separator(dtype, "' ' for example says what stands between tags")
        raise InputError(f"{name} of type {dtype} holds no lists of tags{hint}")

    # Class numbers, as data sets for training have them.
    if is_integer(dtype.value_type):
        numbers = whole.to_pylist()
        return [_name_all(row, known, name) for row in numbers]
    lists_of_texts = pa.list_(pa.string())
    try:
        texts = whole.cast(lists_of_texts)
    except pa.ArrowException as error:
        raise InputError(f"{name} of type {dtype} holds no tags") from error
    rows: list[list[str | None]] = texts.to_pylist()
    return rows


def _name_all(
    numbers: Sequence[int],
    known: Sequence[str],
    name: str,
) -> list[str | None]:
    label_count = len(known)
    tags: list[str | None] = []
    for number in numbers:
        if number is None or number == _NO_TAG:
            tags.append(None)
            continue
        if not 0 <= number < label_count:
            raise InputError(
                f"{name}: a class number is none of the model's {label_count} labels; name them in "
                "their order, --classes O,B-PER,I-PER for example, or give tags as texts"
            )
        tags.append(known[number])
    return tags
