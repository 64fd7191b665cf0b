"""Where records begin and end, by hand; `test_csv_blocks.py` has the rest, against a slow state machine."""

import numpy as np
import pytest

from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_records import (
    GLUED,
    LONE_ESCAPE,
    OVERLONG,
    UNCLOSED,
    Records,
    find_records,
)

PLAIN = CsvDialect()
SPARK = CsvDialect(escape="\\", double_quote=False)


def texts_of(records: Records) -> list[bytes]:
    places = zip(records.starts, records.stops, strict=True)
    return [records.text[start:stop] for start, stop in places]


@pytest.mark.parametrize(
    ("text", "found", "rest"),
    [
        (b"", [], b""),
        (b"a", [], b"a"),
        (b"a\nb", [b"a"], b"b"),
        (b"a\n\n\r\nb\r\nc\rd\n", [b"a", b"b", b"c", b"d"], b""),
        # Whether a \n follows is not known yet.
        (b"a\nb\r", [b"a"], b"b\r"),
        (b'a,"b\nc"\nd', [b'a,"b\nc"'], b"d"),
        (b'a,"b\nc', [], b'a,"b\nc'),
        (b'a\n5" b\n6"\n', [b"a", b'5" b', b'6"'], b""),
        # What a last quote does is not known yet.
        (b'a\nb,"c"', [b"a"], b'b,"c"'),
        (b'"""\n"\n"""""\n"""\n', [b'"""\n"', b'"""""\n"""'], b""),
    ],
)
def test_records_end_with_lines_that_end_outside_quotes(
    text: bytes, found: list[bytes], rest: bytes
) -> None:
    records = find_records(text, PLAIN, is_last=False)
    assert texts_of(records) == found
    assert text[records.end :] == rest


def test_a_blank_line_is_a_record_where_it_is_asked_for() -> None:
    text = b"\na\n\r\n\r\rb\n\n"
    blank = find_records(text, PLAIN, is_last=True, keeps_blank=True)
    assert texts_of(blank) == [b"", b"a", b"", b"", b"", b"b", b""]
    assert texts_of(find_records(text, PLAIN, is_last=True)) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("text", "dialect", "malformed"),
    [
        (b'a\n"b"c\nd\n', PLAIN, {1: GLUED}),
        (b'"b" \n', PLAIN, {0: GLUED}),
        (b'"a""b"\n""\n"","a"\n', PLAIN, {}),
        (b'x"y"z\n', PLAIN, {}),
        (b'"a""b"\n""\n', SPARK, {0: GLUED}),
        (b'"a\\"b"\n"\\\\"\n"\\\\\\""\n\\\n', SPARK, {}),
        (b'"a\\b"\n"c"\n', SPARK, {0: LONE_ESCAPE}),
        (b'"a\\\\b"\n"a\\\\\\b"\n', SPARK, {1: LONE_ESCAPE}),
        (b"'a'b\n\"a\"b\n", CsvDialect(quote="'"), {0: GLUED}),
        (b'"a"b\n', CsvDialect(quote=None), {}),
        (b'"a";"b"\n"a","b"\n', CsvDialect(delimiter=";"), {1: GLUED}),
    ],
)
def test_malformed_quoting_is_told_with_its_reason(
    text: bytes, dialect: CsvDialect, malformed: dict[int, str]
) -> None:
    assert find_records(text, dialect, is_last=True).malformed == malformed


def test_lines_are_counted_also_of_malformed_records() -> None:
    text = b'"a\nb"\n\n"c"d\n"e\r\n\r\nf"g\r"h"i\n"j\n'
    records = find_records(text, PLAIN, is_last=False)
    assert records.count_lines(np.arange(4)).tolist() == [2, 1, 3, 1]
    assert (records.lines, text[records.end :]) == (8, b'"j\n')
    assert records.malformed == {1: GLUED, 2: GLUED, 3: GLUED}


def test_each_line_is_a_record_where_no_value_holds_a_line_break() -> None:
    text = b'"a\n"b"\n"c"d\n\n"e""\nf"\n"""g\r\n"h"'
    lines = CsvDialect(newlines_in_values=False)
    records = find_records(text + b"\n", lines, is_last=True)
    assert texts_of(records) == [line for line in text.splitlines() if line]
    assert records.malformed == {0: UNCLOSED, 2: GLUED, 3: UNCLOSED, 5: UNCLOSED}
    assert records.count_fields().tolist() == [1] * 7


def test_a_record_may_have_so_many_bytes_and_no_more() -> None:
    records = find_records(b'abc\r\nabcd\n"a\nb\n', PLAIN, is_last=False, longest=3)
    assert records.malformed == {1: OVERLONG}
    assert find_records(b'"a"b\n', PLAIN, is_last=True, longest=3).malformed == {0: OVERLONG}


def test_fields_are_counted_outside_quotes() -> None:
    records = find_records(b'a,b\n"a,b"\n,,\n"a"",",b,"\n,"\n', PLAIN, is_last=True)
    assert records.count_fields().tolist() == [2, 1, 3, 3]


@pytest.mark.parametrize(
    ("dialect", "text", "selected"),
    [
        (PLAIN, b"a\r\n\nb\rc\n", b"a\nc\n"),
        (PLAIN, b'"a\r\n"\n"b"\nc', b'"a\r\n"\nc\n'),
        # Doubled quotes in place of escapes, inside quotes alone.
        (SPARK, b'"\\"\\\\"\nb\n"c\\\\\\""\\\n', b'"""\\"\n"c\\"""\\\n'),
        (SPARK, b'\\\\,"a"\nb\n\\"\n', b'\\\\,"a"\n\\"\n'),
    ],
)
def test_the_text_of_some_records_is_theirs_alone(
    dialect: CsvDialect, text: bytes, selected: bytes
) -> None:
    text = text if text.endswith(b"\n") else text + b"\n"
    records = find_records(text, dialect, is_last=True)
    assert len(records) == 3
    assert records.select(np.array([0, 2])).to_pybytes() == selected
