"""Step `tokenize`: texts to token numbers, with the tokenizers library."""

from functools import lru_cache
from itertools import chain
import os
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from configs.errors import JobError, RejectedRows, RowError
from configs.redaction import shown
from model_zoo.steps.arrays import Column, Columns, get_column, to_arrow
from model_zoo.steps.step import Word


class Tokenize(Word):
    """A text column becomes `into` and `mask_into`, int64 (rows, `max_tokens`): token numbers and mask.

    The mask is 1 where there is a token. Longer texts are cut, and shorter ones are zeros from their
    end on. `tokenizer` is the content of a `tokenizer.json` of the tokenizers library. A missing text
    rejects its row.
    """

    stage: ClassVar[str] = "decode"
    step: Literal["tokenize"]
    column: str
    max_tokens: Annotated[int, Field(ge=1)]
    tokenizer: str
    into: str = "input_ids"
    mask_into: str = "attention_mask"

    def apply(self, columns: Columns, rows: int) -> dict[str, Column]:
        """Return token numbers and mask."""
        texts = to_arrow(get_column(columns, self.column, self.step))
        numbers, mask = tokenize(texts, self)
        return {self.into: numbers, self.mask_into: mask}


def tokenize(texts: pa.Array, step: Tokenize) -> tuple[np.ndarray, np.ndarray]:
    """Cut texts into tokens.

    Args:
        texts: strings (rows,).
        step: tokenizer, and the number of tokens that a row has room for.

    Returns:
        Token numbers and mask, int64 (rows, max_tokens); the mask is 1 for tokens, and 0 for the
        zeros behind them.

    Raises:
        RejectedRows: rows whose text is missing, or is not UTF-8.
        JobError: the column is no text, or `step.tokenizer` is no tokenizer.
    """
    tokenizer = _load_tokenizer(step.tokenizer, step.max_tokens)
    strings = _to_strings(texts, step.column)
    tokens = [encoding.ids for encoding in tokenizer.encode_batch_fast(strings)]
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    mask = np.arange(step.max_tokens) < lengths[:, None]
    numbers = np.zeros(mask.shape, dtype=np.int64)
    all_tokens = chain.from_iterable(tokens)
    numbers[mask] = np.fromiter(all_tokens, dtype=np.int64, count=int(lengths.sum()))
    return numbers, mask.astype(np.int64)


@lru_cache(maxsize=4)  # parsing a tokenizer of 30 000 words takes a tenth of a second
def _load_tokenizer(content: str, max_tokens: int) -> Any:
    # Its own threads would compete with the workers; the library looks at this when it is first called.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise JobError(
            f"preprocess step tokenize: {error}; "
            "install the extra for texts: pip install '.[texts]'"
        ) from error
    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # the library raises nothing narrower
        raise JobError(
            "preprocess step tokenize: tokenizer is not the content of a tokenizer.json: "
            f"{shown(error)}"
        ) from error
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer


def _to_strings(texts: pa.Array, column: str) -> list[str]:
    if pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_decode()
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise JobError(f"preprocess step tokenize: column {column!r} is {texts.type}, not text")
    missing = np.flatnonzero(pc.is_null(texts)).tolist()
    if missing:
        raise RejectedRows(dict.fromkeys(missing, RowError(f"column {column!r}: no text")))
    try:
        strings: list[str] = texts.to_pylist()
    except UnicodeDecodeError as error:
        raise RejectedRows(_find_not_utf8(texts, column)) from error
    return strings


def _find_not_utf8(texts: pa.Array, column: str) -> dict[int, Exception]:
    """Return the rows that a file's text, which nobody checked, is not UTF-8 in."""
    reasons: dict[int, Exception] = {}
    for row, text in enumerate(texts):
        try:
            text.as_py()
        except UnicodeDecodeError:
            reasons[row] = RowError(f"column {column!r}: text that is not UTF-8")
    return reasons
