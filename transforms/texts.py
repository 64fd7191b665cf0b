"""Texts to token numbers, with the tokenizers library."""

from functools import lru_cache
from itertools import chain
import os
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import JobError, RowError
from configs.messages import shown
from configs.steps import Tokenize
from transforms.batches import BadRows


def tokenize(texts: pa.Array, step: Tokenize) -> tuple[np.ndarray, np.ndarray]:
    """Cut texts into tokens.

    Args:
        texts: strings (rows,).
        step: tokenizer, and the number of tokens that a row has room for.

    Returns:
        Token numbers and mask, int64 (rows, max_tokens); the mask is 1 for tokens and 0 for the zeros behind them.

    Raises:
        BadRows: rows whose text is missing, or is not UTF-8.
        JobError: the column is no text, or `step.tokenizer` is no tokenizer.
    """
    tokenizer = _tokenizer(step.tokenizer, step.max_tokens)
    tokens = [encoding.ids for encoding in tokenizer.encode_batch_fast(_strings(texts, step.column))]
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    mask = np.arange(step.max_tokens) < lengths[:, None]
    numbers = np.zeros(mask.shape, dtype=np.int64)
    numbers[mask] = np.fromiter(chain.from_iterable(tokens), dtype=np.int64, count=int(lengths.sum()))
    return numbers, mask.astype(np.int64)


@lru_cache(maxsize=4)
def _tokenizer(content: str, max_tokens: int) -> Any:
    # Its own threads would compete with the workers; the library looks at this when it is first called.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise JobError(f"preprocess step tokenize: {error}; install the extra for texts: pip install '.[texts]'") from error
    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # the library raises nothing narrower
        raise JobError(f"preprocess step tokenize: tokenizer is not the content of a tokenizer.json: {shown(error)}") from error
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer


def _strings(texts: pa.Array, column: str) -> list[str]:
    if pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_decode()
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise JobError(f"preprocess step tokenize: column {column!r} is {texts.type}, not text")
    missing = {row: RowError(f"column {column!r}: no text") for row in np.flatnonzero(pc.is_null(texts)).tolist()}
    if missing:
        raise BadRows(missing)
    try:
        strings: list[str] = texts.to_pylist()
    except UnicodeDecodeError as error:
        raise BadRows(_not_utf8(texts, column)) from error
    return strings


def _not_utf8(texts: pa.Array, column: str) -> dict[int, Exception]:
    bad: dict[int, Exception] = {}
    for row, text in enumerate(texts):
        try:
            text.as_py()
        except UnicodeDecodeError:
            bad[row] = RowError(f"column {column!r}: text that is not UTF-8")
    return bad
