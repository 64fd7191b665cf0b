"""A state of texts and booleans: how often each value is there, of as many values as can be kept.

All values are counted while they are few. Of more, those with the smallest digests are kept, and no
others: which those are depends on no order, and their counts are exact, since whatever is among the
smallest of all is among the smallest of each part. They tell how many values there are, within some per
cent, and nothing of which others are frequent.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa
from pyarrow import Array
import pyarrow.compute as pc
from pyarrow.types import is_boolean, is_dictionary

MOST_VALUES = 1_024
# A longer text names no category.
MOST_BYTES = 64
_DIGESTS = 1 << 32


@dataclass(frozen=True)
class Values:
    """What is known of values; missing ones are none.

    Attributes:
        count: how many rows have one.
        long: how many rows have one that is too long to be kept.
        new: how many rows have one that the reference has not, where it has all of its values.
        counts: rows by value, of those that are kept.
        is_whole: whether those are all.
    """

    count: int = 0
    long: int = 0
    new: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    is_whole: bool = True

    @property
    def distinct(self) -> int:
        """Return how many different values there are, but for long ones; about, where not all are kept."""
        kept = len(self.counts)
        if self.is_whole or kept < 2:
            return kept
        largest = max(map(_digest_text, self.counts))
        # So many lie in so much of the range of digests, in which they lie evenly.
        share = (largest + 1) / _DIGESTS
        return round((kept - 1) / share)


def is_long(text: str) -> bool:
    """Tell whether a text is too long to be kept.

    >>> is_long("a" * 64), is_long("ä" * 64)
    (False, True)
    """
    return len(text.encode()) > MOST_BYTES


def count_values(column: Array, known: frozenset[str] | None) -> Values:
    """Return what is known of texts or booleans.

    Args:
        column: of texts, plain or in a dictionary, or of booleans.
        known: all values of the reference; None where it says nothing, and no value is new.
    """
    if is_boolean(column.type):
        counted = _count_booleans(column)
    elif is_dictionary(column.type):
        counted = _count_codes(column)
    else:
        counted = _count_texts(column)
    count = int(counted.counts.sum())
    new = _count_new(counted, count, known)
    short = _take_short(counted)
    short_count = int(short.counts.sum())
    long = count - short_count
    counts: Counter[str] = Counter()
    texts = short.texts.to_pylist()
    rows_of_texts = short.counts.tolist()
    for text, rows in zip(texts, rows_of_texts, strict=True):
        # Bytes that are no text stay different ones.
        name = text.decode(errors="backslashreplace")
        # A dictionary may hold a value twice.
        counts[name] += rows
    kept = _keep_smallest(counts)
    return Values(count, long, new, kept, is_whole=len(kept) == len(counts))


def merge_values(first: Values, second: Values) -> Values:
    """Return what is known of the values of both."""
    counts = Counter(first.counts)
    counts.update(second.counts)
    kept = _keep_smallest(counts)
    are_whole = first.is_whole and second.is_whole
    return Values(
        first.count + second.count,
        first.long + second.long,
        first.new + second.new,
        kept,
        is_whole=are_whole and len(kept) == len(counts),
    )


class _CountedTexts(NamedTuple):
    """Texts (large binary), and how many rows have each (int64)."""

    texts: Array
    counts: np.ndarray


def _count_booleans(column: Array) -> _CountedTexts:
    true = column.true_count
    false = len(column) - column.null_count - true
    counts = np.array([false, true])
    # As Python writes them, which is how profiles of training have them.
    texts = pa.array([b"False", b"True"], type=pa.large_binary())
    return _take_counted(texts, counts)


def _count_codes(column: Array) -> _CountedTexts:
    codes = column.indices.drop_null().to_numpy()
    counts = np.bincount(codes, minlength=len(column.dictionary))
    texts = column.dictionary.cast(pa.large_binary())
    return _take_counted(texts, counts)


def _count_texts(column: Array) -> _CountedTexts:
    counted = column.drop_null().value_counts()
    texts = counted.field("values").cast(pa.large_binary())
    counts = counted.field("counts").to_numpy()
    return _CountedTexts(texts, counts)


def _take_counted(texts: Array, counts: np.ndarray) -> _CountedTexts:
    """Return those that some rows have."""
    found = np.flatnonzero(counts)
    found_texts = texts.take(pa.array(found))
    return _CountedTexts(found_texts, counts[found])


def _count_new(counted: _CountedTexts, count: int, known: frozenset[str] | None) -> int:
    if known is None:
        return 0
    in_bytes = [name.encode() for name in sorted(known)]
    value_set = pa.array(in_bytes, type=pa.large_binary())
    is_known = pc.is_in(counted.texts, value_set=value_set)
    mask = is_known.to_numpy(zero_copy_only=False)
    known_rows = counted.counts[mask].sum()
    return count - int(known_rows)


def _take_short(counted: _CountedTexts) -> _CountedTexts:
    lengths = pc.binary_length(counted.texts).to_numpy(zero_copy_only=False)
    is_short = lengths <= MOST_BYTES
    if is_short.all():
        return counted
    texts = counted.texts.filter(pa.array(is_short))
    counts = counted.counts[is_short]
    return _CountedTexts(texts, counts)


def _keep_smallest(counts: Mapping[str, int]) -> dict[str, int]:
    """Return as many values as are kept, with their rows: those of the smallest digests."""
    if len(counts) <= MOST_VALUES:
        return dict(counts)
    names = list(counts)
    digests = np.fromiter(map(_digest_text, names), dtype=np.uint32, count=len(names))
    # With those of equal digests, among which the texts decide.
    limit = np.partition(digests, MOST_VALUES)[MOST_VALUES]
    near = np.flatnonzero(digests <= limit).tolist()
    names_near = [names[place] for place in near]
    digests_near = digests[near].tolist()
    ranked = sorted(zip(digests_near, names_near, strict=True))
    smallest = ranked[:MOST_VALUES]
    return {name: counts[name] for _, name in smallest}


def _digest_text(name: str) -> int:
    return crc32(name.encode())
