"""Lines that are parsed together, halved until each bad one is alone, and put back in their places."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_records import Records, find_records
from transforms.formats.json_halving import Part, parse_lines, spread

SCHEMA = pa.schema([("n", pa.int64())])
BAD = b'{"n":x}'


def make_lines(*texts: bytes) -> Records:
    dialect = CsvDialect(quote=None, newlines_in_values=False)
    return find_records(b"\n".join(texts) + b"\n", dialect, is_last=True)


def parse(lines: Records, positions: list[int]) -> tuple[list[Any], list[int], list[int]]:
    """Return the numbers that were read, and the positions of good and of bad lines."""
    halved = parse_lines(lines, np.array(positions, dtype=np.int64), SCHEMA)
    assert halved.rows.schema == SCHEMA
    return halved.rows.column(0).to_pylist(), halved.good.tolist(), halved.bad.tolist()


@pytest.mark.parametrize("bad", [[], [0], [6], [3], [0, 6], [2, 3], [0, 1, 5], list(range(7))])
def test_bad_lines_cost_themselves_alone(bad: list[int]) -> None:
    texts = [BAD if n in bad else b'{"n":%d}' % n for n in range(7)]
    good = [n for n in range(7) if n not in bad]
    assert parse(make_lines(*texts), list(range(7))) == (good, good, bad)


@pytest.mark.parametrize("positions", [[], [0], [4], [0, 2], [0, 1, 3, 4], [1, 2, 3], [0, 2, 4]])
def test_lines_that_are_not_asked_for_are_not_read(positions: list[int]) -> None:
    texts = [b'{"n":%d}' % n if n in positions else BAD for n in range(5)]
    assert parse(make_lines(*texts), positions) == (positions, positions, [])


@pytest.mark.parametrize("text", [b'{"n":1}{"n":2}', b'{"n":1} {"n":2}', b"{}{}"])
def test_two_values_on_a_line_are_no_line(text: bytes) -> None:
    assert parse(make_lines(b'{"n":0}', text, b'{"n":2}'), [0, 1, 2]) == ([0, 2], [0, 2], [1])


def test_names_that_nobody_wants_are_passed_over_and_missing_ones_are_null() -> None:
    lines = make_lines(b'{"other":[1],"n":5}', b"{}", b'{"n":null}')
    assert parse(lines, [0, 1, 2]) == ([5, None, None], [0, 1, 2], [])


def test_parts_are_put_in_their_places() -> None:
    first = Part(np.array([3, 0]), pa.array(["d", "a"]))
    second = Part(np.array([1]), pa.array(["b"]))
    nothing = Part(np.array([], dtype=np.int64), pa.array([], pa.string()))
    assert spread(5, [first, nothing, second]).to_pylist() == ["a", "b", None, "d", None]
    assert spread(2, [nothing]).to_pylist() == [None, None]
