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

import numpy as np
import pyarrow as pa
from pyarrow import Array

from configs.errors import JobError
from model_zoo.activations import softmax
from model_zoo.tensor_columns import to_nested_column
from transforms.scores.makers import Makers, to_lists

# No entity, in the words of the field (BIO, IOB).
_OUTSIDE = "O"
_BEGINS, _CONTINUES = "B-", "I-"


@dataclass(frozen=True)
class Places:
    """Where the tokens of some rows are.

    Attributes:
        lengths: int64 (rows,), tokens of each row.
        starts, ends: int32 (tokens of all rows,), first character of each and the one behind it;
            None where the tokens are of no text that a row has.
        is_added: bool (tokens of all rows,): of no text, but added by the tokenizer.
    """

    lengths: np.ndarray
    starts: np.ndarray | None = None
    ends: np.ndarray | None = None
    is_added: np.ndarray | None = None


def take_tokens(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return what there is for each token, (tokens of all rows, ...), without padding.

    Args:
        values: (rows, tokens, ...), of which the last ones are padding.
        lengths: (rows,), tokens of each row.
    """
    positions = np.arange(values.shape[1])
    is_token = positions < lengths[:, None]
    flat: np.ndarray = values[is_token]
    return flat


def to_ragged_column(values: np.ndarray, lengths: np.ndarray) -> Array:
    """Return what there is for each token as lists of a row's own number of tokens.

    Args:
        values: (rows, tokens, ...), of which the last ones are padding.
        lengths: (rows,), tokens of each row.
    """
    of_tokens = take_tokens(values, lengths)
    column = to_nested_column(of_tokens)
    return to_lists(column, lengths)


def list_token_makers(logits: np.ndarray, labels: tuple[str, ...], places: Places) -> Makers:
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

    counts: np.ndarray
    names: Sequence[str]
    classes: np.ndarray
    scores: np.ndarray
    starts: np.ndarray | None
    ends: np.ndarray | None

    def to_column(self) -> Array:
        names = pa.array(self.names, pa.string())
        classes = pa.array(self.classes)
        fields = {"label": names.take(classes)}
        if self.starts is not None:
            fields["start"] = pa.array(self.starts, pa.int32())
            fields["end"] = pa.array(self.ends, pa.int32())
        fields["score"] = pa.array(self.scores)

        columns = list(fields.values())
        field_names = list(fields)
        values = pa.StructArray.from_arrays(columns, field_names)
        return to_lists(values, self.counts)


def _find_tokens(logits: np.ndarray, labels: tuple[str, ...], places: Places) -> _Tokens:
    """Return the most probable class of each token of the texts themselves."""
    lengths = places.lengths
    of_tokens = take_tokens(logits, lengths)
    rows = _number_rows(lengths)
    starts = places.starts
    ends = places.ends
    if places.is_added is not None and starts is not None and ends is not None:
        is_own = ~places.is_added
        of_tokens = of_tokens[is_own]
        rows = rows[is_own]
        starts = starts[is_own]
        ends = ends[is_own]

    probabilities = softmax(of_tokens)
    # Of equally probable classes the first one.
    best = probabilities.argmax(axis=1)
    best = best.astype(np.int32)
    scores = np.take_along_axis(probabilities, best[:, None], axis=1)
    return _Tokens(
        counts=np.bincount(rows, minlength=len(lengths)),
        names=labels or _name_by_number(logits.shape[-1]),
        classes=best,
        scores=scores[:, 0],
        starts=starts,
        ends=ends,
    )


def _number_rows(counts: np.ndarray) -> np.ndarray:
    """Return the row of each token: [2, 3] -> [0, 0, 1, 1, 1]."""
    rows = np.arange(len(counts))
    return np.repeat(rows, counts)


def _name_by_number(classes: int) -> list[str]:
    return [str(number) for number in range(classes)]


def _join(tokens: _Tokens) -> _Tokens:
    """Join neighbours of one entity, as transformers' pipeline does with aggregation_strategy="simple".

    A token goes on with the entity before it if it has the same label and does not begin one (B-).
    The score is the mean of its tokens'.

    Raises:
        JobError: the tokens have no places.
    """
    if tokens.starts is None or tokens.ends is None:
        raise JobError(
            "postprocess names score column 'spans', which are places in a text; this model's tokens "
            "come as numbers, or from texts that a function step has changed; name tokens"
        )
    rows = _number_rows(tokens.counts)
    is_first = _find_first(tokens, rows)
    first = np.flatnonzero(is_first)
    # A span ends where the next one begins, the last one with the tokens.
    behind = np.append(first[1:], len(rows))
    # A span has the label of its first token, without what stands before a hyphen, whatever that is:
    # so does the pipeline.
    spoken = [name.split("-", 1)[-1] for name in tokens.names]
    are_entities = [name != _OUTSIDE for name in spoken]
    is_entity_by_class = np.array(are_entities)
    classes = tokens.classes[first]
    is_entity = is_entity_by_class[classes]

    first = first[is_entity]
    behind = behind[is_entity]
    last = behind - 1
    means = _average(tokens.scores, first, behind)
    rows_of_spans = rows[first]
    return _Tokens(
        # A row without spans counts, too.
        counts=np.bincount(rows_of_spans, minlength=len(tokens.counts)),
        names=spoken,
        classes=classes[is_entity],
        scores=means.astype(tokens.scores.dtype),
        starts=tokens.starts[first],
        ends=tokens.ends[last],
    )


def _find_first(tokens: _Tokens, rows: np.ndarray) -> np.ndarray:
    """Tell of each token whether a span begins with it."""
    # Once for each class, and not for each token.
    tags = [_cut_prefix(name) for name in tokens.names]
    # `B-P` and `I-P` are one tag.
    _, tag_of_class = np.unique(tags, return_inverse=True)
    begin = [name.startswith(_BEGINS) for name in tokens.names]
    begins_by_class = np.array(begin)

    tag = tag_of_class[tokens.classes]
    is_first = begins_by_class[tokens.classes]
    # Before the first token stands none.
    is_first[:1] = True
    is_other_row = np.diff(rows) != 0
    is_other_tag = np.diff(tag) != 0
    is_first[1:] |= is_other_row | is_other_tag
    return is_first


def _average(values: np.ndarray, first: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Return the means of values from `first` on and before `behind`, in float64."""
    # Each span is added up by itself: of running sums the last digits would hang on the rows before.
    if not len(first):
        return np.zeros(0)
    pairs = np.stack([first, behind], axis=1)
    edges = pairs.reshape(-1)
    # One more value, as the last span may end where the values do.
    exact = values.astype(np.float64)
    longer = np.append(exact, 0.0)
    sums: np.ndarray = np.add.reduceat(longer, edges)
    # Every second sum is of what lies between two spans.
    of_spans = sums[::2]
    lengths = behind - first
    return of_spans / lengths


def _cut_prefix(name: str) -> str:
    if name.startswith((_BEGINS, _CONTINUES)):
        return name[len(_BEGINS) :]
    return name
