"""Texts to tokens, against splitting them by hand."""

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError, RejectedRows
from model_zoo.steps.tokenize import Tokenize
from tests.support.text_models import TOKENS, WORDS, step, texts


def test_tokens_are_those_of_the_words_cut_and_filled_with_zeros() -> None:
    rows = [*texts(20), "", "never seen"]
    columns = step().apply({"text": pa.array(rows)}, len(rows))
    numbers, mask = columns["input_ids"], columns["attention_mask"]
    assert isinstance(numbers, np.ndarray)
    assert (numbers.dtype, numbers.shape, mask.dtype) == (np.int64, (22, TOKENS), np.int64)
    for row, found, ones in zip(rows, numbers, mask, strict=True):
        expected = [WORDS.index(word) if word in WORDS else 0 for word in row.split()][:TOKENS]
        assert found.tolist() == expected + [0] * (TOKENS - len(expected))
        assert ones.tolist() == [1] * len(expected) + [0] * (TOKENS - len(expected))


@pytest.mark.parametrize("dtype", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_other_types_of_text(dtype: pa.DataType) -> None:
    rows = pa.array(["word1 word2", "word3"]).cast(dtype)
    assert step().apply({"text": rows}, 2)["attention_mask"].sum(axis=1).tolist() == [2, 1]  # type: ignore[union-attr]


def test_missing_texts_and_texts_that_are_not_utf8_are_bad_rows() -> None:
    with pytest.raises(RejectedRows) as missing:
        step().apply({"text": pa.array(["word1", None])}, 2)
    broken = pa.Array.from_buffers(
        pa.string(), 2, pa.array([b"word1", b"\xff\xfe"], pa.binary()).buffers()
    )
    with pytest.raises(RejectedRows) as not_text:
        step().apply({"text": broken}, 2)
    assert [{row: str(e) for row, e in c.value.reasons.items()} for c in (missing, not_text)] == [
        {1: "column 'text': no text"},
        {1: "column 'text': text that is not UTF-8"},
    ]


def test_what_is_no_text_and_what_is_no_tokenizer_is_refused() -> None:
    with pytest.raises(JobError, match="column 'text' is int64, not text"):
        step().apply({"text": pa.array([1])}, 1)
    wrong = Tokenize(step="tokenize", column="text", max_tokens=4, tokenizer="{}")
    with pytest.raises(JobError, match=r"not the content of a tokenizer\.json"):
        wrong.apply({"text": pa.array(["a"])}, 1)
