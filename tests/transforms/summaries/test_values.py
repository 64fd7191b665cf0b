"""States of texts and booleans, against Python's own counting."""

from collections import Counter
from functools import reduce
from zlib import crc32

import numpy as np
import pyarrow as pa
import pytest

from transforms.summaries.values import MOST_VALUES, Values, count_values, merge_values

TEXTS = ["a", "b", None, "a", "", "ä", "a"]


@pytest.mark.parametrize("dtype", [pa.string(), pa.large_string()])
def test_texts_are_counted(dtype: pa.DataType) -> None:
    found = count_values(pa.array(TEXTS, dtype), None)
    assert found.counts == {"a": 3, "b": 1, "": 1, "ä": 1}
    assert (found.count, found.distinct, found.is_whole, found.new) == (6, 4, True, 0)


def test_texts_in_a_dictionary_are_counted_by_their_numbers() -> None:
    codes = pa.array([0, 2, None, 0, 1], pa.int8())
    column = pa.DictionaryArray.from_arrays(codes, ["a", "b", "a", "unused"])
    assert count_values(column, None).counts == {"a": 3, "b": 1}
    assert count_values(column.slice(1, 2), None).counts == {"a": 1}


def test_booleans_are_counted() -> None:
    found = count_values(pa.array([True, None, False, True]), None)
    assert found.counts == {"True": 2, "False": 1}
    assert count_values(pa.array([True]), None).counts == {"True": 1}


def test_values_that_the_reference_has_not_are_new() -> None:
    assert count_values(pa.array(TEXTS), frozenset(["a", "b", "c"])).new == 2
    assert count_values(pa.array([None], pa.string()), frozenset()).new == 0


def test_a_long_text_is_counted_and_not_kept() -> None:
    found = count_values(pa.array(["x" * 64, "x" * 65, "ä" * 33, "y"]), frozenset(["y"]))
    assert (found.count, found.long, found.new) == (4, 2, 3)
    assert set(found.counts) == {"x" * 64, "y"}


def test_bytes_that_are_no_text_are_counted() -> None:
    column = pa.array([b"\xff", b"ok", b"\xfe"]).view(pa.string())
    assert count_values(column, None).counts == {r"\xff": 1, "ok": 1, r"\xfe": 1}


@pytest.mark.slow
def test_of_very_many_values_those_of_the_smallest_digests_are_kept() -> None:
    random = np.random.default_rng(3)
    numbers = random.zipf(1.3, 40_000) % 9_000
    texts = [f"user-{number}" for number in numbers]
    expected = Counter(texts)
    smallest = sorted(expected, key=lambda text: (crc32(text.encode()), text))[:MOST_VALUES]
    whole = count_values(pa.array(texts), None)
    assert whole.counts == {text: expected[text] for text in smallest}
    assert whole.count == 40_000
    assert not whole.is_whole
    assert whole.distinct == pytest.approx(len(expected), rel=0.1)
    for size in (37, 5_000, 39_999):
        pieces = [
            count_values(pa.array(texts[first : first + size]), None)
            for first in range(0, len(texts), size)
        ]
        assert reduce(merge_values, pieces) == whole
        assert reduce(merge_values, reversed(pieces)) == whole


def test_as_many_as_are_kept_are_all() -> None:
    column = pa.array([str(number) for number in range(MOST_VALUES)])
    whole = count_values(column, None)
    assert whole.is_whole
    assert whole.distinct == MOST_VALUES
    assert merge_values(whole, whole).is_whole
    one_more = merge_values(whole, count_values(pa.array(["one more"]), None))
    assert not one_more.is_whole
    assert len(one_more.counts) == MOST_VALUES
    assert one_more.distinct == pytest.approx(MOST_VALUES + 1, rel=0.05)


def test_no_values_merge_with_some() -> None:
    some = count_values(pa.array(TEXTS), None)
    assert merge_values(Values(), some) == some == merge_values(some, Values())
