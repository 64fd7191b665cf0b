"""A block of lines parsed at once, and line by line: both must give the same, whatever is in it."""

import json
import random
from typing import Any

import pyarrow as pa
import pytest

from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_records import Records, find_records
from transforms.formats.json_parse import LineParser

SCHEMA = pa.schema(
    [
        ("a", pa.int64()),
        ("b", pa.string()),
        ("c", pa.list_(pa.float32())),
        ("d", pa.date32()),
        ("e", pa.decimal128(9, 2)),
    ]
)
NAMES = ["a", "b", "c", "d", "e", "f", "\\u0061"]
VALUES = ["1", "-0", "1.0", "1e3", "9223372036854775808", '"x"', '"2024-02-29"', '"2024-02-30"', "null", "true", "[]", "[1,null]",
    "[1e39]", "[[1]]", "{}", '{"a":1}', "NaN", "1.25", '"1.25"', "1.255", '"\\ud83d\\ude00"', '"} null {"', "1e400", '"\\ud800"']  # fmt: skip
ODD = [b"", b" ", b"null", b"[]", b"{}", b"{", b"}", b"{}{}", b"{} null {}", b'{"a":1', b'"a":1}', b"{\xff}", b"{\0}", b'{"b":"\xff"}',
    b'{"c":[{}', b"{}]}", b"\t{}\t", b'{"a":1}}', b"{{}}", b"{},{}", b'{"b":"\\u12"}', b'{"b":"x\x01"}']  # fmt: skip
# Half of them are enough for the quick tests.
SEEDS = [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 8))]


def find_lines(text: bytes) -> Records:
    dialect = CsvDialect(quote=None, newlines_in_values=False)
    return find_records(text, dialect, is_last=True, longest=1 << 20)


def make_line(dice: random.Random, bad: float) -> bytes:
    if dice.random() < bad / 2:
        return dice.choice(ODD)
    pairs = []
    for name in dice.sample(NAMES, dice.randint(0, 4)):
        value = (
            dice.choice(VALUES) if dice.random() < bad else {"a": "7", "b": '"t"'}.get(name, "null")
        )
        pairs.append(f'"{name}":{value}')
    return ("{" + ",".join(pairs) + "}").encode()


def told(parser: LineParser, lines: list[bytes]) -> list[tuple[Any, str | None]]:
    parsed = parser.parse(find_lines(b"\n".join(lines) + b"\n"))
    rows = parsed.rows.to_pylist()
    reasons = {position: str(reason) for position, reason in parsed.reasons.items()}
    return [
        (None if number in reasons else repr(row), reasons.get(number))
        for number, row in enumerate(rows)
    ]


@pytest.mark.parametrize("bad", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_block_gives_what_each_of_its_lines_gives_alone(seed: int, bad: float) -> None:
    dice = random.Random(seed)  # noqa: S311
    parser = LineParser(SCHEMA)
    lines = [line for _ in range(60) if (line := make_line(dice, bad))]
    alone = [told(parser, [line])[0] for line in lines]
    assert told(parser, lines) == alone


def is_good(line: bytes) -> bool:
    """Say it by the standard library, for lines whose values are integers and texts."""
    try:
        pairs = json.loads(line.decode(), object_pairs_hook=list)
    except ValueError:
        return False
    if not isinstance(pairs, list) or not line.strip().startswith(b"{"):
        return False
    names = [name for name, _ in pairs if name in SCHEMA.names]
    return len(names) == len(set(names))


@pytest.mark.slow
def test_a_line_is_taken_where_the_standard_library_takes_it() -> None:
    dice = random.Random(5)  # noqa: S311
    pieces = [
        b"{",
        b"}",
        b'"a"',
        b":",
        b",",
        b"1",
        b" ",
        b'"b":"x"',
        b'"f":',
        b"[",
        b"]",
        b"null",
        b'"\\n"',
        b"\t",
        b"-",
        b"\\",
    ]
    parser = LineParser(SCHEMA)
    lines = []
    for _ in range(4_000):
        middle = b"".join(dice.choices(pieces, k=dice.randint(0, 6)))
        lines.append(b"{" + middle + b"}")
    lines += [b'{"a":1}', b'{"a":1,"f":[{}]}', b'{"b":"x"}', b'{"a":1,"a":1}']
    taken = [reason is None for _, reason in told(parser, lines)]
    typed = [is_good(line) and is_typed(line) for line in lines]
    assert taken == typed
    assert 30 < sum(taken) < len(lines)


def is_typed(line: bytes) -> bool:
    row = json.loads(line)
    a, b = row.get("a"), row.get("b")
    return (a is None or type(a) is int) and (b is None or isinstance(b, str))


@pytest.mark.parametrize("form", ["{}", '"{}"'], ids=["number", "text"])
def test_a_decimal_with_more_digits_than_its_type_costs_its_line(form: str) -> None:
    """Arrow's parser counts digits before it writes zeros behind them."""
    fits = ["9999999", "9999999.99", "99e5", "-9999999.9", "0e9"]
    does_not = ["99999999", "10000000.0", "1e7", "-999999999"]
    values = [form.format(number) for number in fits + does_not]
    lines = [f'{{"e":{value},"l":[0, {value}]}}'.encode() for value in values]
    for name, dtype in (("e", pa.decimal128(9, 2)), ("l", pa.list_(pa.decimal128(9, 2)))):
        parser = LineParser(pa.schema([(name, dtype)]))
        parsed = parser.parse(find_lines(b"\n".join(lines) + b"\n"))
        assert sorted(parsed.reasons) == [5, 6, 7, 8]
        assert str(parsed.reasons[5]) == f"column {name!r}: a decimal has more digits than its type"
        parsed.rows.validate(full=True)
