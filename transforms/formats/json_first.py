"""What the first lines of a file tell before any worker starts: is it JSON lines, with these columns?"""

from collections import Counter
from collections.abc import Iterable, Sequence
import json
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import Schema

from configs.errors import InputError
from transforms.formats.column import Column
from transforms.formats.columns import suggest_name
from transforms.formats.csv_records import Records
from transforms.formats.json_parse import LineParser
from transforms.formats.json_shape import Reasons, find_misshapen, get_line

# Lines whose values are looked at.
_CHECKED_ROWS = 1_000
# Fewer that are all bad may be bad rows; so many are another type, or no JSON.
_ALL_BEFORE_REFUSAL = 8
# Of numbers their text: they may be longer than Python takes.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_BLANKS = b" \t\r\n"


class _Found(NamedTuple):
    """What some lines hold.

    Attributes:
        values: how many of them have a name with a value; 0 of one whose values are all null.
        objects: the positions of those that are objects.
    """

    values: Counter[str]
    objects: list[int]


def check_first_lines(
    url: str,
    lines: Records | None,
    wanted: Sequence[Column],
    sparse: Sequence[str],
) -> Schema:
    """Return the columns of a file, as its first lines have them; those that nobody wants as texts.

    Args:
        url: the file, for errors.
        lines: its first block; None where it has none.
        wanted: the columns that will be read, with their types.
        sparse: those of them that no line need have.

    Raises:
        InputError: the file is no JSON lines, lacks a wanted column, or has values of another type.
        JobError: a type that no JSON has.
    """
    text = pa.string()
    types = {column.name: column.type or text for column in wanted}
    schema = pa.schema(types)
    parser = LineParser(schema)
    # Of no rows nothing can be said.
    if lines is None:
        return schema
    misshapen = find_misshapen(lines)
    checked = min(len(lines), _CHECKED_ROWS)
    found = _look_at(lines, range(checked), misshapen)
    if not found.objects:
        _refuse_no_json(url, lines, checked)
        return schema
    _refuse_missing(url, lines, misshapen, found, schema, sparse)
    positions = np.array(found.objects, dtype=np.int64)
    for field in schema:
        bad = parser.find_bad(lines, positions, field.name)
        # Nulls fit every type, so they speak for none.
        with_value = found.values[field.name]
        if len(bad) < max(with_value, _ALL_BEFORE_REFUSAL):
            continue
        raise InputError(
            f"{url}: column {field.name!r} does not hold values of type {field.type}, "
            "which the contract or source.types declares"
        )
    texts = dict.fromkeys(found.values, text)
    return pa.schema({**texts, **types})


def _look_at(lines: Records, positions: Iterable[int], misshapen: Reasons) -> _Found:
    """Return what the objects among some lines hold."""
    values: Counter[str] = Counter()
    objects = []
    for position in positions:
        if position in misshapen:
            continue
        line = get_line(lines, position)
        text = line.decode()
        try:
            found = _DECODER.decode(text)
        # It will be rejected.
        except (ValueError, RecursionError):
            continue
        objects.append(position)
        for name, value in found.items():
            values[name] += value is not None
    return _Found(values, objects)


def _refuse_no_json(url: str, lines: Records, checked: int) -> None:
    """Refuse a file that is something else, none of whose first lines is an object."""
    text = lines.text.lstrip(_BLANKS)
    if text.startswith(b"["):
        raise InputError(
            f"{url}: is one JSON array and not JSON lines; write one object a line, "
            "for example with orient='records', lines=True in pandas"
        )
    if checked >= _ALL_BEFORE_REFUSAL:
        raise InputError(
            f"{url}: is not JSON lines: none of its first {checked:,} lines is an object; "
            "check source.format"
        )


def _refuse_missing(
    url: str,
    lines: Records,
    misshapen: Reasons,
    found: _Found,
    schema: Schema,
    sparse: Sequence[str],
) -> None:
    """Refuse a file no line of whose first block has some column: its name may be misspelt.

    Args:
        url: the file.
        lines: its first block.
        misshapen: the lines that are no objects.
        found: what the first lines hold.
        schema: the columns that are read.
        sparse: those of them that no line need have.
    """
    absent = {*schema.names} - {*found.values} - {*sparse}
    if not absent:
        return
    # It may stand further behind only: writers leave out nulls.
    count = len(lines)
    behind = range(_CHECKED_ROWS, count)
    others = _look_at(lines, behind, misshapen)
    absent -= {*others.values}
    names = [*found.values, *others.values]
    in_order = [name for name in schema.names if name in absent]
    for name in in_order:
        hint = suggest_name(name, names)
        raise InputError(
            f"{url}: none of its first {count:,} lines has the column {name!r}{hint}; "
            "if lines may lack it, name it in source.sparse"
        )
