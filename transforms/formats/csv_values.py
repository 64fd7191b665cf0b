"""Fields of CSV files as bytes -> columns of the declared types; a bad value costs its row."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, RecordBatch, Schema
import pyarrow.compute as pc
from pyarrow.types import (
    is_binary_view,
    is_fixed_size_binary,
    is_floating,
    is_integer,
    is_large_binary,
    is_time,
)

from configs.errors import InputError, JobError, RejectedRows, RowError
from transforms.formats.csv_marks import COMMA, POINT, exchange_marks, has_mark

# What pyarrow reads as infinite because the text says so.
_INFINITE = r"(?i)^[-+]?inf(inity)?$"
# What a value that is not of its type makes pyarrow raise.
_MALFORMED = (pa.ArrowInvalid, UnicodeDecodeError)
# Fewer that are all malformed may be bad rows; so many are another type.
_ALL_BEFORE_REFUSAL = 8
# Those that tables come in most often; any byte fits some of them.
_ENCODINGS = ("cp1252", "latin-1", "cp1250", "cp1251", "shift_jis", "gb18030", "euc_kr", "big5")
_MOST_HINTS = 4
# The bit in which an ASCII letter and its capital differ.
_LOWER_CASE = 0x20
# Forms of bytes other than plain `binary`; none is checked to be UTF-8.
_OTHER_BINARIES = (
    is_large_binary,
    is_binary_view,
    is_fixed_size_binary,
)


def convert_fields(fields: RecordBatch, schema: Schema) -> RecordBatch:
    """Convert fields to the declared types.

    Args:
        fields: columns of `pa.binary()`, null where a value is missing; or of their type already.
        schema: names and types of the columns that come out.

    Raises:
        RejectedRows: rows with a value that is not of its column's type.
    """
    columns: list[Array] = []
    reasons: dict[int, Exception] = {}
    for field in schema:
        texts = fields.column(field.name)
        try:
            values = _convert(texts, field.type)
            columns.append(values)
        # Only now value by value: that takes far longer than the whole column.
        except _MALFORMED:
            # One for all: its message holds no value.
            reason = RowError(f"column {field.name!r}: not a valid {field.type}")
            malformed = _find_malformed(texts, field.type)
            of_column = dict.fromkeys(malformed, reason)
            reasons.update(of_column)
    if reasons:
        raise RejectedRows(reasons)
    return RecordBatch.from_arrays(columns, schema=schema)


def convert_valid(fields: RecordBatch, schema: Schema) -> RecordBatch:
    """Convert fields to the declared types, with nulls for values that are not of theirs.

    Args:
        fields, schema: as for `convert_fields`.
    """
    columns: list[Array] = []
    for field in schema:
        texts = fields.column(field.name)
        values = _convert_valid(texts, field.type)
        columns.append(values)
    return RecordBatch.from_arrays(columns, schema=schema)


def find_type(texts: Array, candidates: Sequence[DataType]) -> DataType:
    """Return the first of some types that every value is of.

    Args:
        texts: `pa.binary()`, null where a value is missing.
        candidates: in the order in which they are tried; the last one fits whatever there is.

    >>> texts = pa.array([b"1", None, b"2.5"])
    >>> find_type(texts, [pa.int64(), pa.float64(), pa.string()])
    DataType(double)
    """
    *narrow, widest = candidates
    for dtype in narrow:
        try:
            _convert(texts, dtype)
        except _MALFORMED:
            continue
        return dtype
    return widest


def refuse_unreadable_types(schema: Schema) -> None:
    """Refuse a declared type that CSV text cannot be read as.

    Raises:
        JobError: the first such column.
    """
    nothing = pa.array([], type=pa.binary())
    for field in schema:
        try:
            _convert(nothing, field.type)
        except pa.ArrowNotImplementedError as error:
            raise JobError(
                f"column {field.name!r}: CSV cannot be read as {field.type}; "
                "declare another type in source.types or the contract, or use Parquet"
            ) from error


def refuse_other_types(
    fields: RecordBatch,
    schema: Schema,
    is_utf8: bool,
    decimal: str = POINT,
) -> None:
    """Refuse a column with several values, none of which is of the declared type.

    Args:
        fields, schema: as for `convert_fields`.
        is_utf8: whether the job says that the text is, so that another encoding may be the reason.
        decimal: the mark that the job says numbers have, so that the other one may be the reason.

    Raises:
        InputError: the first such column.
    """
    for field in schema:
        texts = fields.column(field.name)
        malformed = _find_malformed(texts, field.type)
        # Nulls fit every type, so they speak for none.
        count = len(texts) - texts.null_count
        if len(malformed) < max(count, _ALL_BEFORE_REFUSAL):
            continue
        hint = ""
        if is_utf8:
            hint = _suggest_encodings(texts)
        hint = _suggest_mark(texts, field.type, decimal) or hint
        raise InputError(
            f"column {field.name!r} does not hold values of type {field.type}, "
            f"which the contract or source.types declares{hint}"
        )


def _suggest_mark(texts: Array, dtype: DataType, decimal: str) -> str:
    """Return a hint at the other decimal mark; none where the texts are no such numbers, either."""
    if not has_mark(dtype):
        return ""
    exchanged = exchange_marks(texts)
    if _find_malformed(exchanged, dtype):
        return ""
    other = COMMA if decimal == POINT else POINT
    return (
        f"; its numbers are written with {other!r} before the fraction: write --set "
        f"'source.csv.decimal=\"{other}\"'"
    )


def _convert(texts: Array, dtype: DataType) -> Array:
    # Bytes stay what they are, and the parser has made these numbers.
    if texts.type == dtype:
        return texts
    if any(check(dtype) for check in _OTHER_BINARIES):
        return texts.cast(dtype)
    # Checks that the bytes are UTF-8: the parser did not.
    strings = texts.cast(pa.string())
    if dtype == pa.string():
        return strings
    if is_time(dtype):
        return _convert_times(strings, dtype)
    values = strings.cast(dtype)
    if is_floating(dtype) and _has_overflowed(strings, values):
        raise pa.ArrowInvalid(f"a number is too large for {dtype}")
    if is_integer(dtype) and _holds_x(strings):
        raise pa.ArrowInvalid("a number in hexadecimal")
    return values


def _convert_times(strings: Array, dtype: DataType) -> Array:
    """Convert times of day, by way of those of one day: pyarrow casts no text to a time alone."""
    # Else 12 would be noon.
    has_colon = pc.match_substring(strings, ":")
    all_have_one = pc.all(has_colon)
    if all_have_one.as_py() is False:
        raise pa.ArrowInvalid("a number and no time")
    texts = pc.binary_join_element_wise("1970-01-01", strings, " ")
    moments = texts.cast(pa.timestamp(dtype.unit))
    return moments.cast(dtype)


def _has_overflowed(texts: Array, values: Array) -> bool:
    """Tell whether a finite number became infinite: pyarrow reads 1e400 so."""
    numbers = values.to_numpy(zero_copy_only=False)
    # The sum of infinities of both signs is NaN, and numpy would warn.
    with np.errstate(invalid="ignore", over="ignore"):
        total = numbers.sum()
    # The usual case, seen in one pass.
    if np.isfinite(total):
        return False
    is_infinite = pc.is_inf(values)
    infinite = texts.filter(is_infinite)
    says_so = pc.match_substring_regex(infinite, _INFINITE)
    all_say_so = pc.all(says_so)
    return all_say_so.as_py() is False


def _holds_x(strings: Array) -> bool:
    """Tell whether one of the texts holds an x: pyarrow reads 0x1F as 31."""
    _, offsets, content = strings.buffers()
    if content is None:
        return False
    places = np.frombuffer(offsets, dtype=np.int32)
    # A slice shares its buffers with what it was cut from.
    first = strings.offset
    start = places[first]
    stop = places[first + len(strings)]
    all_codes = np.frombuffer(content, dtype=np.uint8)
    lower_case = all_codes[start:stop] | _LOWER_CASE
    is_x = lower_case == ord("x")
    return bool(is_x.any())


def _find_malformed(texts: Array, dtype: DataType) -> list[int]:
    """Return the rows with a value that is not of the type, by halving until each is alone."""
    malformed = []
    pending = [(0, len(texts))]
    while pending:
        start, stop = pending.pop()
        count = stop - start
        some = texts.slice(start, count)
        try:
            _convert(some, dtype)
        except _MALFORMED:
            if count == 1:
                malformed.append(start)
                continue
            middle = (start + stop) // 2
            # The first half last: it is taken next, so rows are met in their order.
            pending += [(middle, stop), (start, middle)]
    return malformed


def _suggest_encodings(texts: Array) -> str:
    """Return a hint at encodings that the texts fit; none for UTF-8."""
    present = texts.drop_null()
    content = b"\n".join(present.to_pylist())
    if _fits(content, "utf-8"):
        return ""
    fitting = [encoding for encoding in _ENCODINGS if _fits(content, encoding)]
    if not fitting:
        return "; its bytes are no UTF-8: is it binary?"
    hints = ", ".join(fitting[:_MOST_HINTS])
    return (
        f"; its bytes are no UTF-8 but fit {hints}: "
        f"write for example --set source.csv.encoding={fitting[0]}"
    )


def _fits(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _convert_valid(texts: Array, dtype: DataType) -> Array:
    try:
        return _convert(texts, dtype)
    # Only now value by value, as in `convert_fields`.
    except _MALFORMED:
        converted = []
        for row in range(len(texts)):
            text = texts.slice(row, 1)
            value = _convert_one(text, dtype)
            converted.append(value)
        return pa.concat_arrays(converted)


def _convert_one(text: Array, dtype: DataType) -> Array:
    try:
        return _convert(text, dtype)
    except _MALFORMED:
        return pa.nulls(1, type=dtype)
