"""What a missing value of each of a model's columns does: what a job says, and its steps show."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from configs.missing import DEFAULT, MissingWord
from model_zoo.arrays import Arrays
from model_zoo.package.card import InputColumn
from model_zoo.steps.columns import Scalar
from model_zoo.steps.date_parts import DateParts
from model_zoo.steps.fill import Fill
from model_zoo.steps.missing import find_missing
from model_zoo.steps.table import AnyStep

Contract: TypeAlias = tuple[InputColumn, ...]


def settle_missing(
    types: Mapping[str, pa.DataType],
    steps: Sequence[AnyStep],
    fill: Mapping[str, Scalar],
    missing: Mapping[str, MissingWord],
    otherwise: MissingWord,
) -> Contract:
    """Return a model's contract.

    What is said of a column by name counts most, then that a step fills it, then the word for all.

    Args:
        types: of the model's columns, in its order.
        steps: preprocessing, whose fitted values may still be missing.
        fill: values that take a missing one's place, by column.
        missing: words by column, and one for all others.
        otherwise: the word where `missing` has none.

    Raises:
        JobError: a word for a step's columns stands for none of them.
    """
    filled = list_filled(steps, types)
    rest = missing.get(DEFAULT, otherwise)
    contract = []
    for name, dtype in types.items():
        word: MissingWord = "fill" if name in filled else rest
        # A column may be called `default`, of which the word for all is no exception.
        if name != DEFAULT:
            word = missing.get(name, word)
        value = fill.get(name)
        if value is not None:
            word = "fill"
        rule = InputColumn(
            name=name,
            type=str(dtype),
            missing=word,
            fill=value,
        )
        contract.append(rule)
    return tuple(contract)


def refuse_unfilled(
    contract: Contract,
    steps: Sequence[AnyStep],
    rows: pa.Table,
    outputs: Arrays,
) -> None:
    """Refuse missing values that nothing fills, and that the model cannot take.

    Args:
        contract: of the model.
        steps: fitted preprocessing.
        rows: of the sample.
        outputs: what the model gives for them.

    Raises:
        JobError: the columns of such values.
    """
    types = {field.name: field.type for field in rows.schema}
    filled = list_filled(steps, types)
    count = rows.num_rows
    is_nan = np.zeros(count, bool)
    for array in outputs.values():
        numbers = array.reshape(count, -1)
        has_nan = np.isnan(numbers).any(axis=1)
        is_nan |= has_nan
    mask = pa.array(is_nan)
    failing = rows.filter(mask)
    unfilled = []
    for rule in contract:
        is_filled = rule.fill is not None or rule.name in filled
        if is_filled or rule.missing != "fill":
            continue
        column = failing.column(rule.name).combine_chunks()
        if find_missing(column) is not None:
            unfilled.append(rule.name)
    if unfilled:
        first = unfilled[0]
        listed = ", ".join(unfilled)
        failures = failing.num_rows
        raise JobError(
            f"missing says fill, nothing fills {listed}, and the model gives NaN for "
            f"{failures:,} rows of the sample: add a fill step, fill.{first}, or say "
            "missing: reject"
        )


def list_filled(
    steps: Sequence[AnyStep],
    types: Mapping[str, pa.DataType],
) -> set[str]:
    """Return the columns whose missing values a step fills.

    Args:
        steps: preprocessing.
        types: of the columns, by name, for steps that choose them by a word.

    Raises:
        JobError: a word stands for none of them.
    """
    filled: set[str] = set()
    for step in steps:
        if isinstance(step, Fill):
            named = step.name_columns(types)
            filled.update(named.columns)
    # A missing date is filled where all of its parts are.
    for step in steps:
        if isinstance(step, DateParts):
            taken_apart = step.name_columns(types)
            for name in taken_apart.columns:
                parts = taken_apart.list_parts(name)
                if filled.issuperset(parts):
                    filled.add(name)
    return filled
