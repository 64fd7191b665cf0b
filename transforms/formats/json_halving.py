"""Lines of JSON by pyarrow's parser, which takes all of them or none: halved until each bad one is alone."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, RecordBatch, Schema
import pyarrow.json as pajson

from transforms.formats.csv_records import Records
from transforms.formats.format import no_rows
from transforms.logical_types import take_values

# Among the lines of a block, int64.
Positions: TypeAlias = np.ndarray


class Halved(NamedTuple):
    """Lines that were parsed.

    Attributes:
        rows: of those that the parser takes.
        good: their positions.
        bad: the positions of the others.
    """

    rows: RecordBatch
    good: Positions
    bad: Positions


class Part(NamedTuple):
    """Values of a column, and the positions of the lines that they are of."""

    positions: Positions
    values: Array


def parse_lines(lines: Records, positions: Positions, schema: Schema) -> Halved:
    """Parse some lines of a block.

    Args:
        lines: the block.
        positions: of those to parse, in order; each begins with `{` and ends with `}`.
        schema: the columns to keep, in types that the parser reads.
    """
    nothing = no_rows(schema)
    parsed = [nothing]
    good = [positions[:0]]
    bad: list[int] = []
    pending = [positions]
    while pending:
        some = pending.pop()
        count = len(some)
        if not count:
            continue
        rows = _parse_together(lines, some, schema)
        if rows is not None:
            parsed.append(rows)
            good.append(some)
            continue
        if count == 1:
            bad += some.tolist()
            continue
        middle = count // 2
        # The first half last: it is taken next, so lines are met in their order.
        pending += [some[middle:], some[:middle]]
    together = parsed[-1]
    # Nearly always all are taken at once, and nothing is copied.
    if len(parsed) != 2:
        together = pa.concat_batches(parsed)
    all_good = np.concatenate(good)
    all_bad = np.array(bad, dtype=np.int64)
    return Halved(together, all_good, all_bad)


def spread(count: int, parts: Sequence[Part]) -> Array:
    """Return a column of a block, null where a line is of no part.

    Args:
        count: lines of the block.
        parts: values of some lines.
    """
    places = np.full(count, -1, dtype=np.int64)
    before = 0
    for positions, values in parts:
        behind = before + len(values)
        places[positions] = np.arange(before, behind)
        before = behind
    columns = [part.values for part in parts]
    together = pa.concat_arrays(columns)
    is_missing = places < 0
    indices = pa.array(places, mask=is_missing)
    return take_values(together, indices)


def _parse_together(
    lines: Records,
    positions: Positions,
    schema: Schema,
) -> RecordBatch | None:
    """Return the rows of some lines; None if one of them is not taken."""
    text = _join_lines(lines, positions)
    size = len(text)
    read = pajson.ReadOptions(
        # Workers are threads already.
        use_threads=False,
        # The text is one block.
        block_size=size + 1,
    )
    parse = pajson.ParseOptions(
        explicit_schema=schema,
        newlines_in_values=False,
        unexpected_field_behavior="ignore",
    )
    source = pa.BufferReader(text)
    try:
        table = pajson.read_json(source, read_options=read, parse_options=parse)
    except pa.ArrowInvalid:
        return None
    # Several values on one line are several rows to it.
    if table.num_rows != len(positions):
        return None
    whole = table.combine_chunks()
    (rows,) = whole.to_batches()
    return rows


def _join_lines(lines: Records, positions: Positions) -> bytes:
    """Return the text of some lines; lines that follow each other are one slice of the block's."""
    steps = np.diff(positions)
    behind_gaps = np.flatnonzero(steps != 1) + 1
    bounds = [0, *behind_gaps.tolist(), len(positions)]
    texts = []
    for begin, end in pairwise(bounds):
        first = positions[begin]
        last = positions[end - 1]
        start = lines.starts[first]
        stop = lines.stops[last]
        text = lines.text[start:stop]
        texts.append(text)
    return b"\n".join(texts)
