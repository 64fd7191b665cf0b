"""Rows of every type that a log tells bounds of, and filters of them, drawn by chance."""

import datetime as dt
from decimal import Decimal
import random
from typing import Any

import pyarrow as pa

from transforms.where import where_mask

_EPOCH = dt.datetime(1970, 1, 1)
_LETTERS = "ab\ud7ff\U0010ffffz é"
SCHEMA = pa.schema(
    {
        "whole": pa.int64(),
        "small": pa.int8(),
        "real": pa.float64(),
        "single": pa.float32(),
        "exact": pa.decimal128(9, 2),
        "long_exact": pa.decimal128(38, 10),
        "text": pa.string(),
        "long_text": pa.string(),
        "day": pa.date32(),
        "moment": pa.timestamp("us", tz="UTC"),
        "flag": pa.bool_(),
    }
)


def make_random_rows(chance: random.Random, number: int, count: int = 6) -> pa.Table:
    """Return rows whose values are near to each other, some of them null, NaN, or at an edge."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    share = chance.choice([0.0, 0.3, 1.0])
    for _ in range(count):
        base = number * 10 + chance.randint(-4, 4)
        values = _draw(chance, base)
        for name, value in values.items():
            columns[name].append(None if chance.random() < share else value)
    return pa.table(columns, schema=SCHEMA)


def _draw(chance: random.Random, base: int) -> dict[str, Any]:
    tail = "".join(chance.choice(_LETTERS) for _ in range(40))
    real = base + chance.random()
    return {
        "whole": chance.choice([base, base, 2**62 + base]),
        "small": base,
        "real": chance.choice([real, real, float(base), float("nan"), float("inf")]),
        "single": base + 0.1,
        "exact": Decimal(base) + Decimal("0.07"),
        "long_exact": Decimal(base) * 10**17 + Decimal("0.0123456789"),
        "text": f"{base:04}",
        "long_text": f"{base:04}{tail}",
        "day": dt.date(1970, 1, 1) + dt.timedelta(days=base - 30),
        "moment": _EPOCH.replace(tzinfo=dt.UTC)
        + dt.timedelta(milliseconds=base - 30, microseconds=chance.randint(0, 999)),
        "flag": base % 2 == 0,
    }


def make_random_filter(chance: random.Random, depth: int = 0) -> str:
    """Return a filter of those columns."""
    if depth < 2 and chance.random() < 0.4:
        parts = [make_random_filter(chance, depth + 1) for _ in range(2)]
        joined = f" {chance.choice(['and', 'or'])} ".join(f"({part})" for part in parts)
        return f"not ({joined})" if chance.random() < 0.3 else joined
    name = chance.choice([name for name in SCHEMA.names if name != "flag"])
    kind = chance.choice(["compare"] * 5 + ["in", "not in", "is None", "is not None"])
    if kind.startswith("is"):
        return f"{name} {kind}"
    count = 3 if kind.endswith("in") else 1
    drawn = [_write(chance, name) for _ in range(count)]
    if count > 1:
        return f"{name} {kind} [{', '.join(drawn)}]"
    compare = chance.choice(["==", "!=", "<", "<=", ">", ">="])
    return f"{name} {compare} {drawn[0]}"


def _write(chance: random.Random, name: str) -> str:
    base = chance.randint(-5, 125)
    value = _draw(chance, base)[name]
    if (isinstance(value, float) and value != value) or value == float("inf"):
        value = 0.5
    if isinstance(value, Decimal):
        return str(float(value))
    if isinstance(value, dt.datetime):
        return repr(value.replace(tzinfo=None).isoformat() + "Z")
    if isinstance(value, dt.date):
        return repr(value.isoformat())
    return repr(value)


def rows_that_pass(rows: pa.Table, where: str) -> int:
    """Return how many rows a filter keeps, looking at every one of them."""
    if not len(rows):
        return 0
    batch = rows.combine_chunks()
    columns = {name: batch[name].combine_chunks() for name in batch.column_names}
    return int(where_mask(where, columns, len(rows)).sum())
