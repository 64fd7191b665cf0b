"""Columns as JSON: one text for each value, as it stands in a line.

Numbers have all their digits, a float as few as give it back. NaN and infinite floats are written as
Python writes them, which strict readers of JSON do not take; null would be another value.
"""

import pyarrow as pa
from pyarrow import Array, DataType
import pyarrow.compute as pc
from pyarrow.types import (
    is_boolean,
    is_decimal,
    is_duration,
    is_fixed_size_list,
    is_float16,
    is_floating,
    is_integer,
    is_large_list,
    is_list,
    is_null,
    is_struct,
)

from model_zoo.steps.moments import is_moment
from transforms.logical_types import decode, decoded_type, is_text, passes_any

# Offsets of 64 bits: texts of a table may come to more than 2 GiB.
_TEXT = pa.large_string()
_NULL = pa.scalar("null", _TEXT)
_NOTHING = pa.scalar("", _TEXT)
_COMMA = pa.scalar(",", _TEXT)
_LISTS = (is_list, is_large_list, is_fixed_size_list)
_NUMBERS = (is_integer, is_decimal, is_boolean)
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_WHOLE = r"^-?\d+$"
_CONTROL = r"[\x00-\x1f]"
_CONTROL_CODES = range(0x20)


def has_json(dtype: DataType) -> bool:
    """Tell whether values of a type have a JSON text, to which no two of them have the same."""
    plain = decoded_type(dtype)
    if is_text(plain) or passes_any(plain, (*_NUMBERS, is_floating, is_null)):
        return True
    inner: list[DataType] = []
    if passes_any(plain, _LISTS):
        inner = [plain.value_type]
    elif is_struct(plain):
        inner = [field.type for field in plain]
    else:
        return is_moment(plain)
    # Of a moment in a list nobody looks whether Arrow has a text for it.
    return all(has_json(dtype) and not is_moment(dtype) for dtype in inner)


def write_values(column: Array) -> Array:
    """Return the JSON text (`large_string`) of each value, `null` where there is none."""
    column = decode(column)
    dtype = column.type
    if is_null(dtype):
        count = len(column)
        return pa.repeat(_NULL, count)
    if passes_any(dtype, _LISTS):
        texts = _write_lists(column)
    elif is_struct(dtype):
        texts = _write_structs(column)
    elif is_floating(dtype):
        texts = _write_floats(column)
    elif is_duration(dtype):
        numbers = column.cast(pa.int64())
        texts = numbers.cast(_TEXT)
    elif passes_any(dtype, _NUMBERS):
        texts = column.cast(_TEXT)
    else:
        texts = _quote(column.cast(_TEXT))
    is_missing = column.is_null()
    return pc.if_else(is_missing, _NULL, texts)


def quote_name(name: str) -> str:
    """Return a column's name as a JSON text."""
    names = pa.array([name], type=_TEXT)
    (quoted,) = _quote(names).to_pylist()
    return str(quoted)


def join_texts(*parts: Array | str) -> Array:
    """Return texts behind each other, value by value."""
    texts = [pa.scalar(part, _TEXT) if isinstance(part, str) else part for part in parts]
    # The last argument is what stands between the others.
    return pc.binary_join_element_wise(*texts, _NOTHING)


def _quote(texts: Array) -> Array:
    is_special = pc.match_substring_regex(texts, r'["\\]')
    if pc.any(is_special).as_py():
        # Backslashes first, as the others add some.
        texts = pc.replace_substring(texts, "\\", "\\\\")
        texts = pc.replace_substring(texts, '"', '\\"')
    has_control = pc.match_substring_regex(texts, _CONTROL)
    if pc.any(has_control).as_py():
        for code in _CONTROL_CODES:
            texts = pc.replace_substring(texts, chr(code), f"\\u{code:04x}")
    return join_texts('"', texts, '"')


def _write_floats(column: Array) -> Array:
    # Arrow has no text of the shortest floats.
    if is_float16(column.type):
        column = column.cast(pa.float32())
    texts = column.cast(_TEXT)
    # Readers that find types out shall find a float.
    is_whole = pc.match_substring_regex(texts, _WHOLE)
    with_point = join_texts(texts, ".0")
    texts = pc.if_else(is_whole, with_point, texts)
    is_finite = pc.is_finite(column)
    if pc.all(is_finite).as_py() is False:
        for given, written in _NOT_FINITE.items():
            is_given = pc.equal(texts, given)
            texts = pc.if_else(is_given, pa.scalar(written, _TEXT), texts)
    return texts


def _write_lists(column: Array) -> Array:
    items = write_values(column.flatten())
    # Arrow joins no texts of lists with long offsets; a record batch has fewer values than that.
    index = pa.int32()
    lengths = pc.list_value_length(column).cast(index)
    # A missing list has no length and takes no place: `flatten` leaves it out.
    present = lengths.fill_null(0)
    ends = pc.cumulative_sum_checked(present)
    begin = pa.array([0], index)
    offsets = pa.concat_arrays([begin, ends])
    lists = pa.ListArray.from_arrays(offsets, items)
    joined = pc.binary_join(lists, _COMMA)
    return join_texts("[", joined, "]")


def _write_structs(column: Array) -> Array:
    parts: list[Array | str] = []
    children = column.flatten()
    opening = "{"
    for child, field in zip(children, column.type, strict=True):
        name = quote_name(field.name)
        parts += [f"{opening}{name}:", write_values(child)]
        opening = ","
    if not parts:
        count = len(column)
        return pa.repeat(pa.scalar("{}", _TEXT), count)
    return join_texts(*parts, "}")
