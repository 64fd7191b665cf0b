"""Logits of each token -> `tokens` and `spans`: label, where it begins and ends in the text, probability.

    text      Ada  Love  ##lace  lives  in  Bern
    tokens    B-P  I-P   I-P     O      O   B-L
    spans     P: "Ada Lovelace"             L: "Bern"

Positions count the characters of the text. Tokens that the tokenizer adds (`[CLS]`) are of no text,
and left out; what is padding is written nowhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array

from configs.errors import JobError
from model_zoo.activations import softmax
from model_zoo.tensor_columns import to_nested_column
from transforms.scores.makers import Makers, to_lists

# Of each row, or of each token of all rows one after the other.
Numbers: TypeAlias = np.ndarray
Flags: TypeAlias = np.ndarray
# Of classes, by number.
Names: TypeAlias = Sequence[str]
# No entity, in the words of the field (BIO, IOB).
_OUTSIDE = "O"
_BEGINS = "B-"
_CONTINUES = "I-"


@dataclass(frozen=True)
class Places:
    """Where the tokens of some rows are.

    Attributes:
        lengths: int64 (rows,), tokens of each row.
        starts, ends: int32 (tokens of all rows,), first character of each and the one behind it;
            None where the tokens are of no text that a row has.
        is_added: bool (tokens of all rows,): of no text, but added by the tokenizer.
    """

    lengths: Numbers
    starts: Numbers | None = None
    ends: Numbers | None = None
    is_added: Flags | None = None


def take_tokens(values: np.ndarray, lengths: Numbers) -> np.ndarray:
    """Return what there is for each token, (tokens of all rows, ...), without padding.

    Args:
        values: (rows, tokens, ...), of which the last ones are padding.
        lengths: (rows,), tokens of each row.
    """
    most_tokens = values.shape[1]
    positions = np.arange(most_tokens)
    lengths_of_rows = lengths[:, None]
    is_token = positions < lengths_of_rows
    flat: np.ndarray = values[is_token]
    return flat


def to_ragged_column(values: np.ndarray, lengths: Numbers) -> Array:
    """Return what there is for each token as lists of a row's own number of tokens.

    Args:
        values: (rows, tokens, ...), of which the last ones are padding.
        lengths: (rows,), tokens of each row.
    """
    of_tokens = take_tokens(values, lengths)
    column = to_nested_column(of_tokens)
    return to_lists(column, lengths)


def list_token_makers(logits: np.ndarray, labels: Names, places: Places) -> Makers:
    """Return `tokens`, and `spans` of those that have a place in a text.

    Args:
        logits: (rows, tokens, classes).
        labels: class names by class number, or none.
        places: of the tokens.
    """

    # Both columns are made of the same tokens.
    @cache
    def find() -> _Tokens:
        return _find_tokens(logits, labels, places)

    def make_tokens() -> Array:
        tokens = find()
        return tokens.to_column()

    def make_spans() -> Array:
        tokens = find()
        spans = _join(tokens)
        return spans.to_column()

    return {"tokens": make_tokens, "spans": make_spans}


@dataclass(frozen=True)
class _Tokens:
    """Tokens, or spans of them, of all rows one after the other.

    Attributes:
        counts: (rows,), how many each row has.
        names: label of each class.
        classes: of each token, a place in `names`.
        scores: probability of that class.
    """

    counts: Numbers
    names: Names
    classes: Numbers
    scores: Numbers
    starts: Numbers | None
    ends: Numbers | None

    def to_column(self) -> Array:
        text = pa.string()
        names = pa.array(self.names, text)
        classes = pa.array(self.classes)
        fields = {"label": names.take(classes)}
        if self.starts is not None:
            position = pa.int32()
            fields["start"] = pa.array(self.starts, position)
            fields["end"] = pa.array(self.ends, position)
        scores = pa.array(self.scores)
        fields["score"] = scores

        columns = list(fields.values())
        field_names = list(fields)
        values = pa.StructArray.from_arrays(columns, field_names)
        return to_lists(values, self.counts)


def _find_tokens(logits: np.ndarray, labels: Names, places: Places) -> _Tokens:
    """Return the most probable class of each token of the texts themselves."""
    lengths = places.lengths
    of_tokens = take_tokens(logits, lengths)
    rows = _number_rows(lengths)
    starts = places.starts
    ends = places.ends
    is_added = places.is_added
    # What the tokenizer added is of no text, and left out.
    if is_added is not None and starts is not None and ends is not None:
        is_own = ~is_added
        of_tokens = of_tokens[is_own]
        rows = rows[is_own]
        starts = starts[is_own]
        ends = ends[is_own]

    probabilities = softmax(of_tokens)
    # Of equally probable classes the first one.
    best = probabilities.argmax(axis=1)
    best = best.astype(np.int32)
    chosen = best[:, None]
    scores = np.take_along_axis(probabilities, chosen, axis=1)
    row_count = len(lengths)
    classes = logits.shape[-1]
    return _Tokens(
        counts=np.bincount(rows, minlength=row_count),
        names=labels or _name_by_number(classes),
        classes=best,
        scores=scores[:, 0],
        starts=starts,
        ends=ends,
    )


def _number_rows(counts: Numbers) -> Numbers:
    """Return the row of each token: [2, 3] -> [0, 0, 1, 1, 1]."""
    row_count = len(counts)
    rows = np.arange(row_count)
    return np.repeat(rows, counts)


def _name_by_number(classes: int) -> list[str]:
    numbers = range(classes)
    return list(map(str, numbers))


def _join(tokens: _Tokens) -> _Tokens:
    """Join neighbours of one entity, as transformers' pipeline does with aggregation_strategy="simple".

    A token goes on with the entity before it if it has the same label and does not begin one (B-).
    The score is the mean of its tokens'.

    Raises:
        JobError: the tokens have no places.
    """
    starts = tokens.starts
    ends = tokens.ends
    if starts is None or ends is None:
        raise JobError(
            "postprocess names score column 'spans', which are places in a text; this model's tokens "
            "come as numbers, or from texts that a function step has changed; name tokens"
        )
    rows = _number_rows(tokens.counts)
    first, behind = _find_runs(tokens, rows)
    # A span has the label of its first token, without what stands before a hyphen, whatever that is:
    # so does the pipeline.
    spoken = list(map(_drop_before_hyphen, tokens.names))
    is_entity_by_class = np.array([name != _OUTSIDE for name in spoken])
    classes = tokens.classes[first]
    is_entity = is_entity_by_class[classes]

    first = first[is_entity]
    behind = behind[is_entity]
    last = behind - 1
    scores = tokens.scores
    means = _average(scores, first, behind)
    rows_of_spans = rows[first]
    row_count = len(tokens.counts)
    return _Tokens(
        # A row without spans counts, too.
        counts=np.bincount(rows_of_spans, minlength=row_count),
        names=spoken,
        classes=classes[is_entity],
        scores=means.astype(scores.dtype),
        starts=starts[first],
        ends=ends[last],
    )


def _drop_before_hyphen(name: str) -> str:
    parts = name.split("-", 1)
    return parts[-1]


def _find_runs(tokens: _Tokens, rows: Numbers) -> tuple[Numbers, Numbers]:
    """Return where runs of tokens of one label begin, and what stands behind each of them.

    Args:
        tokens: of all rows, one row behind the other.
        rows: the row of each token.
    """
    is_first = _find_first(tokens, rows)
    first = np.flatnonzero(is_first)
    # A run ends where the next one begins, the last one with the tokens.
    behind = np.append(first[1:], len(rows))
    return first, behind


def _find_first(tokens: _Tokens, rows: Numbers) -> Flags:
    """Tell of each token whether a span begins with it."""
    # Once for each class, and not for each token.
    tags = list(map(_cut_prefix, tokens.names))
    # `B-P` and `I-P` are one tag.
    _, tag_of_class = np.unique(tags, return_inverse=True)
    begin = [name.startswith(_BEGINS) for name in tokens.names]
    begins_by_class = np.array(begin)

    classes = tokens.classes
    tag = tag_of_class[classes]
    is_first = begins_by_class[classes]
    # Before the first token stands none.
    is_first[:1] = True
    is_other_row = np.diff(rows) != 0
    is_other_tag = np.diff(tag) != 0
    is_other = is_other_row | is_other_tag
    is_first[1:] |= is_other
    return is_first


def _average(values: Numbers, first: Numbers, behind: Numbers) -> Numbers:
    """Return the means of values from `first` on and before `behind`, in float64."""
    # Each span is added up by itself: of running sums the last digits would hang on the rows before.
    if not len(first):
        return np.zeros(0)
    bounds = [first, behind]
    pairs = np.stack(bounds, axis=1)
    edges = pairs.reshape(-1)
    # One more value, as the last span may end where the values do.
    exact = values.astype(np.float64)
    longer = np.append(exact, 0.0)
    sums: Numbers = np.add.reduceat(longer, edges)
    # Every second sum is of what lies between two spans.
    of_spans = sums[::2]
    lengths = behind - first
    return of_spans / lengths


def _cut_prefix(name: str) -> str:
    if name.startswith((_BEGINS, _CONTINUES)):
        return name[len(_BEGINS) :]
    return name
