"""From a Job to the checks of its rows, each of which is tried on no rows before any is read."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
from pyarrow import Schema
import pyarrow.compute as pc
from pyarrow.types import is_floating, is_integer

from configs.errors import JobError
from configs.suggest import nearest
from model_zoo.package.card import ModelCard
from pipelines.planning.jobs import ScoringJob
from transforms.checks.check_counts import CheckCounts
from transforms.checks.column_check import UNIQUE, ColumnCheck
from transforms.checks.unique_values import UniqueValues
from transforms.checks.value_digests import digest_values
from transforms.formats.format import no_rows
from transforms.logical_types import is_text
from transforms.where import NOT_COMPARABLE


class PlannedChecks(NamedTuple):
    """The checks of a job; none of most jobs.

    Attributes:
        rejecting: those whose rows are rejected.
        counted: what counts the rows that fail the others, where there are any.
    """

    rejecting: tuple[ColumnCheck, ...]
    counted: tuple[CheckCounts | UniqueValues, ...]


def plan_checks(job: ScoringJob, card: ModelCard, schema: Schema) -> PlannedChecks:
    """Return the checks that a job asks for, in the order of columns.

    Args:
        job: the job.
        card: its model's.
        schema: the columns that are read.

    Raises:
        JobError: a column that is neither the model's nor carried, or a rule that makes no sense of its type.
    """
    of_model = [column.name for column in card.columns]
    known = [*of_model, *job.source.carried]
    rows = no_rows(schema)
    checks = []
    for check in _list_checks(job):
        if check.column not in known:
            hint = nearest(check.column, known)
            raise JobError(
                f"checks names {check.column!r}, which is no column of the model, no key and no "
                f"pass-through column{hint}"
            )
        _try_out(check, rows.column(check.column))
        checks.append(check)
    rejecting = tuple(check for check in checks if check.on_failure == "reject")
    return PlannedChecks(rejecting, tuple(_make_summaries(checks)))


def _make_summaries(checks: Sequence[ColumnCheck]) -> Iterator[CheckCounts | UniqueValues]:
    """Yield what counts the rows that fail checks and go on."""
    counted = [check for check in checks if check.on_failure != "reject"]
    unique = [check for check in counted if check.rule == UNIQUE]
    others = tuple(check for check in counted if check.rule != UNIQUE)
    if others:
        yield CheckCounts(others)
    for number, check in enumerate(unique):
        yield UniqueValues(check, number)


def _list_checks(job: ScoringJob) -> Iterator[ColumnCheck]:
    # In an order of their own: that of a job's keys is no difference to its run.
    for column in sorted(job.checks):
        for check in job.checks[column]:
            for rule, wanted in check.rules.items():
                yield ColumnCheck(column, rule, wanted, check.on_failure, check.mostly)


def _try_out(check: ColumnCheck, nothing: pa.Array) -> None:
    """Refuse a rule that makes no sense of a column.

    Args:
        check: the rule.
        nothing: the column, of no rows.
    """
    dtype = nothing.type
    _refuse_mixed_up(check, dtype)
    try:
        if check.rule == "matches":
            # Alone, too: brackets that do not match might do so with what is put around it.
            pc.match_substring_regex(pa.array([""]), pattern=check.wanted)
        if check.rule == UNIQUE:
            digest_values(nothing)
        else:
            check.find_failed(nothing)
    except NOT_COMPARABLE as error:
        raise JobError(
            f"{check.place}: makes no sense of a column of type {dtype}: {error}"
        ) from error


def _refuse_mixed_up(check: ColumnCheck, dtype: pa.DataType) -> None:
    """Refuse numbers beside texts, and texts beside numbers: YAML read something else than was meant."""
    # `yes` and `1` without quotes, which Arrow would make texts of.
    if check.rule == "allowed" and is_text(dtype):
        strange = [value for value in check.wanted if not isinstance(value, str)]
        if strange:
            raise JobError(
                f"{check.place}: {strange[0]!r} is no text, and the column is {dtype}; put it in quotes"
            )
    # `1e30`, in which YAML wants a point and a sign.
    is_number = is_integer(dtype) or is_floating(dtype)
    if check.rule in ("min", "max") and is_number and isinstance(check.wanted, str):
        raise JobError(
            f"{check.place}: {check.wanted!r} is a text, and the column is {dtype}; "
            f"write a number, as 1000 or 1.0e+30"
        )
