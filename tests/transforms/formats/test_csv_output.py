"""Texts that a spreadsheet would run, and the reading back of what was written."""

import io
import re

from hypothesis import given
from hypothesis import strategies as st
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from configs.errors import PublishError
from transforms.formats import csv_output
from transforms.formats.csv_output import CsvOutput, CsvWriter, count_csv_rows, escape_table

STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
TEXTS = st.text(st.sampled_from(["'", "a", "1", " ", *STARTS]), max_size=6)


def is_formula(text: str) -> bool:
    return text.lstrip("'")[:1] in STARTS and text.lstrip("'") != ""


@given(st.lists(TEXTS | st.none(), max_size=8))
def test_an_apostrophe_stands_before_formulas_alone_and_can_be_taken_off_again(
    texts: list[str | None],
) -> None:
    made = escape_table(pa.table({"s": pa.array(texts, pa.string())}))["s"].to_pylist()
    assert made == [text if text is None or not is_formula(text) else f"'{text}" for text in texts]
    assert [
        text[1:] if text and re.match("'+[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]", text) else text
        for text in made
    ] == texts


@pytest.mark.parametrize(
    "dtype",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
)
def test_texts_of_every_kind_are_escaped(dtype: pa.DataType) -> None:
    column = (
        pa.array(["=a", "b", None]).cast(pa.string()).dictionary_encode().cast(dtype)
        if pa.types.is_dictionary(dtype)
        else pa.array(["=a", "b", None], dtype)
    )
    assert escape_table(pa.table({"s": column}))["s"].to_pylist() == ["'=a", "b", None]


def test_numbers_and_bytes_stay_as_they_are() -> None:
    table = pa.table(
        {
            "n": [-1, 1],
            "f": [-0.5, 1.0],
            "b": pa.array([b"=a", b"b"]),
            "d": pa.array([-7, 1]).dictionary_encode(),
        }
    )
    assert escape_table(table).equals(table)


def written(table: pa.Table, escape_formulas: bool) -> bytes:
    sink = pa.BufferOutputStream()
    writer = CsvWriter(sink, table.schema, escape_formulas)
    for batch in table.to_batches(max_chunksize=1 if len(table) < 100 else None):
        writer.write_table(pa.Table.from_batches([batch]))
    writer.close()
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("escape_formulas", [True, False])
def test_headers_and_texts_are_escaped_where_it_is_wished(escape_formulas: bool) -> None:
    content = written(pa.table({"=h": ["=1+1", "b"], "n": [-1, 2]}), escape_formulas)
    mark = "'" * escape_formulas
    assert content.decode() == f'"{mark}=h","n"\n"{mark}=1+1",-1\n"b",2\n'


@given(st.lists(st.tuples(TEXTS, st.integers(-9, 9)), max_size=8))
def test_as_many_rows_are_counted_as_were_written_whatever_is_in_them(
    rows: list[tuple[str, int]],
) -> None:
    texts, numbers = [row[0] for row in rows], [row[1] for row in rows]
    content = written(
        pa.table({"s": pa.array(texts, pa.string()), "n": pa.array(numbers, pa.int64())}),
        escape_formulas=True,
    )
    assert count_csv_rows("u", io.BytesIO(content)) == len(rows)


def test_values_with_line_breaks_are_counted_in_a_file_of_many_blocks() -> None:
    content = written(
        pa.table({"s": ["x\n" * 500] * 2_500, "n": range(2_500)}), escape_formulas=False
    )
    assert len(content) > 2 << 20
    assert count_csv_rows("u", io.BytesIO(content)) == 2_500


@pytest.mark.parametrize(
    "column",
    [
        # Longer than a block of pyarrow's parser, NUL bytes on its fast path, blank lines for null.
        ["x" * 2_500_000] * 3,
        ["\u00e9" * 50 + "\0" * (i % 50 == 49) for i in range(40_000)],
        ["a", None, "", None],
        ['"', '",\n"', "\r", '""'],
    ],
)
@pytest.mark.parametrize("counted_bytes", [7, 1 << 20])
def test_rows_are_counted_that_a_parser_loses(
    column: list[str | None], counted_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = column if counted_bytes > 7 else [text and text[-60:] for text in column[-60:]]
    monkeypatch.setattr(csv_output, "_COUNTED_BYTES", counted_bytes)
    content = written(pa.table({'"s,': pa.array(shorter, pa.string())}), escape_formulas=False)
    assert count_csv_rows("u", io.BytesIO(content)) == len(shorter)


@pytest.mark.parametrize("content", [b"", b"a,b\n1\n", b"a\n1", b'a\n"1\n', b"a\n1,2\n"])
def test_what_is_no_csv_is_not_counted(content: bytes) -> None:
    with pytest.raises(PublishError, match="u: cannot be read back"):
        count_csv_rows("u", io.BytesIO(content))


DAY = 86_400
# The first and last days that Arrow has a text for.
FIRST, LAST = -12_687_428, 11_248_737


@pytest.mark.parametrize(
    "values",
    [
        pa.array([FIRST - 1, FIRST + 1, 0, None, LAST - 1, LAST + 1], pa.date32()),
        *(
            pa.array(
                [day * DAY for day in (FIRST - 2, FIRST + 1, 0, LAST - 1, LAST + 2)],
                pa.timestamp("s", tz=zone),
            ).cast(pa.timestamp(unit, tz=zone))
            for unit in ("s", "ms", "us")
            for zone in (None, "UTC", "Asia/Kathmandu", "-12:00")
        ),
        pa.array([-(2**63), 2**63 - 1, None], pa.timestamp("ns", tz="UTC")),
        pa.array([-1, 0, None, DAY * 1_000 - 1, DAY * 1_000], pa.int32()).view(pa.time32("ms")),
        # The last moment of a day has a text, and the next day's first one is none.
        pa.array([-1, 0, DAY - 1, DAY], pa.int32()).view(pa.time32("s")),
        pa.array([DAY * 10**6 - 1, DAY * 10**6], pa.int64()).view(pa.time64("us")),
        pa.array([DAY * 10**9 - 1, DAY * 10**9], pa.int64()).view(pa.time64("ns")),
        pa.nulls(3, pa.date32()),
        pa.array([], pa.timestamp("us")),
    ],
    ids=lambda values: str(values.type),
)
def test_dates_and_times_without_a_text_are_found(values: pa.Array) -> None:
    """Against what Arrow's own writer makes of each value by itself."""
    unfit = []
    for row in range(len(values)):
        sink = io.BytesIO()
        try:
            pacsv.write_csv(pa.table({"s": values.slice(row, 1)}), sink)
        except pa.ArrowInvalid:
            unfit.append(row)
            continue
        if b"out of range" in sink.getvalue():
            unfit.append(row)
    rows = pa.record_batch({"n": range(len(values)), "s": values})
    reasons = CsvOutput().find_unfit(rows, ["n", "s"])
    assert sorted(reasons) == unfit
    assert CsvOutput().find_unfit(rows, ["n"]) == {}
    if unfit:
        assert str(reasons[unfit[0]]) == f"column 's': a {values.type} that CSV cannot hold"


def test_the_days_at_both_ends_are_left_out_as_a_zone_may_lie_beyond() -> None:
    days = pa.array([FIRST, FIRST + 1, LAST - 1, LAST], pa.date32())
    rows = pa.record_batch({"s": days})
    assert sorted(CsvOutput().find_unfit(rows, ["s"])) == [0, 3]


def test_columns_without_a_text_are_refused_by_the_first_of_them() -> None:
    texts, lists, raw = pa.string(), pa.list_(pa.int8()), pa.binary()
    fields = {"t": texts, "l": lists, "b": raw}
    assert CsvOutput().find_problem(pa.schema({"t": texts}), False) is None
    for names, first in ((["t", "l"], "l"), (["b", "t", "l"], "b")):
        problem = CsvOutput().find_problem(pa.schema({name: fields[name] for name in names}), False)
        assert f"cannot hold column {first!r} of type {fields[first]}" in str(problem)
