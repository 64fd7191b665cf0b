"""Cut a unit of a Parquet file between row groups: those of which a row may pass a filter, and others."""

from dataclasses import replace
from itertools import groupby

from pyarrow import Schema

from transforms.batches import WorkUnit
from transforms.formats.format import MayPass, Section
from transforms.formats.parquet_statistics import list_bounds


def find_sections(unit: WorkUnit, fields: Schema, may_pass: MayPass) -> list[Section]:
    """Return the unit in parts: neighbouring row groups that may pass a filter, or that may not.

    Args:
        unit: row groups, or a part of one.
        fields: the columns that the filter reads, in the types that they come out in.
        may_pass: the filter.

    Raises:
        InputError: the file's footer cannot be read.
    """
    groups = list_bounds(unit.shard, fields)
    first, count, *_ = unit.span
    numbers = range(first, first + count)
    passing: dict[int, bool] = {}
    for number in numbers:
        bounds = groups[number].bounds
        passing[number] = may_pass(bounds)
    answers = set(passing.values())
    # As it is, where there is nothing to cut; the rows of a part are of one row group.
    if len(answers) <= 1:
        is_passing = answers != {False}
        return [Section(unit, is_passing)]

    sections = []
    first_row = unit.first_row
    runs = groupby(numbers, passing.__getitem__)
    for is_passing, neighbours in runs:
        together = list(neighbours)
        begin = together[0]
        length = len(together)
        rows = sum(groups[number].rows for number in together)
        part = replace(
            unit,
            span=(begin, length),
            first_row=first_row,
            rows=rows,
        )
        section = Section(part, is_passing)
        sections.append(section)
        first_row += rows
    return sections
