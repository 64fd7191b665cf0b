"""Step `tokenize`: texts to token numbers, with the tokenizers library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
import os
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from pyarrow import Array, types
import pyarrow.compute as pc
from pydantic import Field, model_validator

from configs.errors import JobError, RejectedRows, RowError, crashes_as_errors
from configs.redaction import shown
from model_zoo.halving import find_rejected
from model_zoo.piece_watch import one_piece
from model_zoo.steps.arrays import get_column
from model_zoo.steps.columns import Columns, NewColumns, decode_dictionary, to_arrow
from model_zoo.steps.step import StepModel, Widths
from model_zoo.tokenizer_fitting import fit_tokenizer
from model_zoo.tokenizer_growth import refuse_growth

# So many that their calls do not count, and few enough to be done in seconds.
_TEXTS_OF_A_PIECE = 1024


# Below that not even the letters have room; real ones end at a million.
Vocabulary: TypeAlias = Annotated[int, Field(ge=64, le=1 << 20)]


def _is_none(value: object) -> bool:
    return value is None


class Tokenize(StepModel):
    """Turn a text column into token numbers and mask, `into` and `mask_into`, int64 (rows, `max_tokens`).

    The mask is 1 where there is a token. Longer texts are cut, and shorter ones are zeros from their
    end on. A missing text rejects its row.

    Attributes:
        tokenizer: the content of a `tokenizer.json` of the tokenizers library; or else
        vocabulary: how many tokens the one knows at most that is made of the training texts.
    """

    stage: ClassVar[str] = "decode"
    step: Literal["tokenize"]
    column: str
    max_tokens: Annotated[int, Field(ge=1)]
    tokenizer: str = ""
    into: str = "input_ids"
    mask_into: str = "attention_mask"
    # A package whose tokenizer was made elsewhere says nothing of it, as ever.
    vocabulary: Vocabulary | None = Field(default=None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _says_which_tokenizer(self) -> "Tokenize":
        if not self.tokenizer and self.vocabulary is None:
            raise ValueError(
                "says which tokenizer: tokenizer, the content of a tokenizer.json; or vocabulary, "
                "how many tokens the one has that training makes of its texts, 2000 for example"
            )
        return self

    @property
    def is_fitted(self) -> bool:
        return bool(self.tokenizer)

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return token numbers and mask.

        Raises:
            RejectedRows, JobError: as `tokenize`.
        """
        column = get_column(columns, self.column, self.step)
        texts = to_arrow(column)
        numbers, mask = tokenize(texts, self)
        return {self.into: numbers, self.mask_into: mask}

    def fit(self, columns: Columns) -> Self:
        """Make the tokenizer of the texts.

        Raises:
            RejectedRows, JobError: the column holds no texts, as for `tokenize`.
        """
        column = get_column(columns, self.column, self.step)
        array = to_arrow(column)
        texts = _to_strings(array, self.column)
        tokenizer = _make_tokenizer(texts, self.vocabulary or 0)
        return self.model_copy(update={"tokenizer": tokenizer})

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        return {self.into: self.max_tokens, self.mask_into: self.max_tokens}


@dataclass(frozen=True)
class TokenText:
    """The text that a model's tokens are cut from.

    Attributes:
        step: that cuts it.
        fill: what takes the place of a missing text; None where such a row is rejected.
    """

    step: Tokenize
    fill: str | None = None


def tokenize(
    texts: Array,
    step: Tokenize,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut texts into tokens.

    Args:
        texts: strings (rows,).
        step: tokenizer, and the number of tokens that a row has room for.

    Returns:
        Token numbers and mask, int64 (rows, max_tokens); the mask is 1 for tokens, and 0 for the
        zeros behind them.

    Raises:
        RejectedRows: rows whose text is missing, is not UTF-8, or makes the tokenizer fail.
        JobError: the column is no text, or `step.tokenizer` is no tokenizer, or fails on every text.
    """
    tokenizer = _load_tokenizer(step.tokenizer, step.max_tokens)
    strings = _to_strings(texts, step.column)
    tokens = _encode(tokenizer, strings)
    counts = map(len, tokens)
    lengths = np.fromiter(counts, dtype=np.int64, count=len(tokens))
    longest = lengths.max(initial=0)
    if longest > step.max_tokens:
        raise JobError(
            f"preprocess step tokenize: the tokenizer gives {longest} tokens of a text, more "
            f"than max_tokens {step.max_tokens}; raise max_tokens, or pack the model with another"
        )
    places = np.arange(step.max_tokens)
    # (rows, max_tokens): true at a row's first places, as many as it has tokens.
    mask = places < lengths[:, None]

    # Filled at once: numpy takes the true places row by row, which is the order of all tokens.
    all_tokens = chain.from_iterable(tokens)
    count = int(lengths.sum())
    numbers = np.zeros(mask.shape, dtype=np.int64)
    numbers[mask] = np.fromiter(all_tokens, dtype=np.int64, count=count)
    return numbers, mask.astype(np.int64)


@dataclass(frozen=True)
class TokenPlaces:
    """Where the tokens of some texts are, one after the other.

    Attributes:
        counts: int64 (texts,), tokens of each text.
        starts, ends: int32 (tokens,), the first character of each and the one behind it.
        is_added: bool (tokens,): of no text, but added by the tokenizer.
    """

    counts: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    is_added: np.ndarray


def locate_tokens(texts: Sequence[str], step: Tokenize) -> TokenPlaces:
    """Return where the tokens are that `tokenize` cuts texts into.

    Args:
        texts: that `tokenize` has taken.
        step: as for `tokenize`.
    """
    tokenizer = _load_tokenizer(step.tokenizer, step.max_tokens)
    counts: list[int] = []
    offsets: list[tuple[int, int]] = []
    added: list[int] = []
    for first in range(0, len(texts), _TEXTS_OF_A_PIECE):
        last = first + _TEXTS_OF_A_PIECE
        piece = list(texts[first:last])
        with one_piece(), crashes_as_errors():
            # The fast one gives no places.
            encodings = tokenizer.encode_batch(piece)
        for encoding in encodings:
            counts.append(len(encoding))
            offsets += encoding.offsets
            added += encoding.special_tokens_mask
    # Of no tokens, too, an array of pairs.
    places = np.array(offsets, dtype=np.int32)
    places = places.reshape(-1, 2)
    return TokenPlaces(
        counts=np.array(counts, dtype=np.int64),
        starts=places[:, 0],
        ends=places[:, 1],
        is_added=np.array(added, dtype=bool),
    )


def _encode(
    tokenizer: Any,
    strings: list[str],
) -> list[list[int]]:
    """Return the token numbers of each text."""
    try:
        return _encode_all(tokenizer, strings)
    # Anything: the library has one class for all errors, and panics beside it.
    except Exception as error:

        def encode_some(positions: np.ndarray) -> None:
            some = [strings[position] for position in positions.tolist()]
            _encode_all(tokenizer, some)

        raise _explain(error, len(strings), encode_some) from error


def _encode_all(
    tokenizer: Any,
    strings: list[str],
) -> list[list[int]]:
    tokens: list[list[int]] = []
    for first in range(0, len(strings), _TEXTS_OF_A_PIECE):
        last = first + _TEXTS_OF_A_PIECE
        texts = strings[first:last]
        with one_piece(), crashes_as_errors():
            encodings = tokenizer.encode_batch_fast(texts)
            tokens += [encoding.ids for encoding in encodings]
    return tokens


def _explain(
    error: Exception,
    rows: int,
    attempt: Callable[[np.ndarray], None],
) -> RejectedRows | JobError:
    """Return what a tokenizer's failure comes to: rows, or a job that cannot go on."""
    try:
        rejected = find_rejected(rows, attempt)
    except Exception as last:  # noqa: BLE001 - it fails on whatever it is given
        return JobError(
            f"preprocess step tokenize: the tokenizer fails on every text: {shown(last)}; "
            "pack the model with another"
        )
    if rejected is not None:
        return rejected
    return JobError(
        f"preprocess step tokenize: the tokenizer fails on {rows} texts but on none of their "
        f"halves: {shown(error)}"
    )


def _make_tokenizer(texts: list[str], vocabulary: int) -> str:
    """Return the content of a tokenizer that is made of texts.

    Raises:
        JobError: the library is not installed.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        return fit_tokenizer(texts, vocabulary)
    except ImportError as error:
        raise _refuse_missing_library(error) from error


def _refuse_missing_library(error: ImportError) -> JobError:
    return JobError(
        f"preprocess step tokenize: {error}; install the extra for texts: pip install '.[texts]'"
    )


# Parsing a tokenizer of 30 000 words takes a tenth of a second.
@lru_cache(maxsize=4)
def _load_tokenizer(content: str, max_tokens: int) -> Any:
    # Its own threads would compete with the workers; the library looks at this when it is first called.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise _refuse_missing_library(error) from error
    try:
        with crashes_as_errors():
            tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # the library raises nothing narrower
        raise JobError(
            "preprocess step tokenize: tokenizer is not the content of a tokenizer.json: "
            f"{shown(error)}"
        ) from error
    try:
        refuse_growth(tokenizer)
    except ValueError as error:
        raise JobError(
            f"preprocess step tokenize: the tokenizer is not taken: {error}; "
            "pack the model with another"
        ) from error
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer


def _to_strings(texts: Array, column: str) -> list[str]:
    """Return texts as Python strings.

    Raises:
        RejectedRows: rows whose text is missing, or is not UTF-8.
        JobError: the column is no text.
    """
    texts = decode_dictionary(texts)
    is_string = types.is_string(texts.type)
    is_large_string = types.is_large_string(texts.type)
    if not (is_string or is_large_string):
        raise JobError(f"preprocess step tokenize: column {column!r} is {texts.type}, not text")

    is_missing = pc.is_null(texts)
    missing = np.flatnonzero(is_missing)
    if len(missing):
        reason = RowError(f"column {column!r}: no text")
        rows = missing.tolist()
        raise RejectedRows(dict.fromkeys(rows, reason))
    try:
        strings: list[str] = texts.to_pylist()
    except UnicodeDecodeError as error:
        # It says nothing of which row it met.
        reasons = _find_not_utf8(texts, column)
        raise RejectedRows(reasons) from error
    return strings


def _find_not_utf8(texts: Array, column: str) -> dict[int, Exception]:
    """Return the rows whose text is not UTF-8: a file may hold any bytes, and nobody checked them."""
    reason = RowError(f"column {column!r}: text that is not UTF-8")
    reasons: dict[int, Exception] = {}
    for row, text in enumerate(texts):
        try:
            text.as_py()
        except UnicodeDecodeError:
            reasons[row] = reason
    return reasons
