"""What a model asks of its rows, found in a sample of them: columns, Arrow types, missing values."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from configs.missing import list_exceptions
from configs.packaging import PackagingJob
from configs.suggest import nearest
from model_zoo.architectures.library_names import is_of_graphs
from model_zoo.package.card import Contract, InputColumn
from model_zoo.steps.lists import is_list
from model_zoo.steps.missing import missing_mask
from model_zoo.steps.moments import is_moment
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.lists import find_too_long
from pipelines.packing.contract.logical_types import to_logical_type
from pipelines.packing.contract.missing import settle_missing
from pipelines.packing.contract.used_columns import leave_out_unused
from transforms.logical_types import cast_exactly

Job: TypeAlias = PackagingJob[AnyStep]


@dataclass(frozen=True)
class ModelRows:
    """The sample as the model has it.

    Attributes:
        contract: of the model.
        rows: those of the sample that the contract takes, in the plain form of their types.
    """

    contract: Contract
    rows: pa.Table


def take_rows(
    job: Job,
    sample: pa.Table,
    change: Callable[[Contract], Contract] | None = None,
) -> ModelRows:
    """Return what the model asks of its rows, and the rows of the sample that are so.

    Args:
        job: the job.
        sample: its rows.
        change: what is known of missing values beside what the job says of them.

    Raises:
        JobError: names that are no columns, or a column that nothing is known of.
    """
    columns = choose_columns(job, sample)
    contract = find_contract(job, sample, columns)
    if change is not None:
        contract = change(contract)
    plain = to_plain_form(sample, columns)
    too_long = find_too_long(job, plain)
    rows = take_complete_rows(plain, contract, too_long)
    return ModelRows(contract, rows)


def choose_columns(job: Job, sample: pa.Table) -> list[str]:
    """Return the columns that the model sees, in its order.

    Args:
        job: names them, or says which they are not.
        sample: the rows.

    Raises:
        JobError: every name in the job that is no column of the sample.
    """
    present = sample.column_names
    problems = _find_strangers(job, present)
    if is_of_graphs(job.network) and job.graph is None:
        problems.append(
            f"{job.network} takes graphs: say graph.nodes, the column of node vectors, and "
            "graph.edges, the two columns of the nodes that edges lead from and to"
        )
    if not problems:
        # It looks up the columns, which are all there only now.
        problems = _find_wrong_kinds(job, sample)
    if problems:
        raise JobError("; ".join(problems))
    if job.columns is not None:
        chosen = list(job.columns)
    else:
        hidden = (job.key, job.label)
        others = [name for name in present if name not in hidden]
        chosen = leave_out_unused(job, others)
    _refuse_others(job, chosen)
    return chosen


def _find_strangers(job: Job, present: Sequence[str]) -> list[str]:
    """Return what the job says of columns that are not there."""
    # By the place in the job that names the column.
    named = {
        "key": job.key,
        "label": job.label,
        "image": job.image,
        "text": job.text,
    }
    exceptions = list_exceptions(job.missing)
    named |= _name_places("columns ", job.columns or ())
    named |= _name_places("fill ", job.fill)
    named |= _name_places("missing ", exceptions)
    named |= _name_places("numbers.", job.numbers)
    named |= _name_places("lengths.", job.lengths)
    named |= _name_places("cut ", job.cut)
    problems = []
    for place, name in named.items():
        if name is None or name in present:
            continue
        hint = nearest(name, present)
        problems.append(f"{place}: the sample has no column {name!r}{hint}")
    return problems


def _name_places(
    field: str,
    names: Iterable[str],
) -> dict[str, str]:
    """Return columns by the place in the job that names them."""
    return {f"{field}{name}": name for name in names}


def _refuse_others(job: Job, columns: Sequence[str]) -> None:
    """Refuse what is said of missing values in columns that the model does not see."""
    exceptions = list_exceptions(job.missing)
    said = _name_places("fill.", job.fill)
    said |= _name_places("missing.", exceptions)
    problems = []
    for place, name in said.items():
        if name not in columns:
            problems.append(f"{place}: the model does not see {name!r}")
    if problems:
        found = "; ".join(problems)
        raise JobError(f"{found}; leave it out, or name it in columns")


def find_contract(job: Job, sample: pa.Table, columns: Sequence[str]) -> Contract:
    """Return name, Arrow type and policy for missing values of every column of the model.

    Args:
        job: the job.
        sample: its rows.
        columns: names of the model's columns.

    Raises:
        JobError: a column without any value, or a word for a step's columns that stands for none.
    """
    types = {}
    for name in columns:
        field = sample.schema.field(name)
        types[name] = to_logical_type(field.type)
    empty = [name for name in columns if pa.types.is_null(types[name])]
    if empty:
        listed = ", ".join(map(repr, empty))
        raise JobError(
            f"the sample has no value in {listed}, and nothing tells what type "
            "such a value has; give it rows with values, or leave these out of columns"
        )
    contract = settle_missing(
        types,
        job.preprocess,
        job.fill,
        job.missing,
        otherwise="reject",
    )
    return tuple(_with_number(rule, job) for rule in contract)


def _with_number(rule: InputColumn, job: Job) -> InputColumn:
    number = job.numbers.get(rule.name)
    if number is None:
        return rule
    return rule.model_copy(update={"number": number})


def to_plain_form(sample: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return the sample with model columns in the plain form of their types, as steps take them.

    Args:
        sample: its rows.
        columns: names of the model's columns.
    """
    for name in columns:
        column = sample.column(name).combine_chunks()
        wanted = to_logical_type(column.type)
        if column.type == wanted:
            continue
        place = sample.schema.get_field_index(name)
        # Never rounded: a sample must be what scoring would read.
        plain = cast_exactly(column, wanted)
        sample = sample.set_column(place, name, plain)
    return sample


def _find_wrong_kinds(job: Job, sample: pa.Table) -> list[str]:
    """Return what the job says of columns that are of another kind."""
    schema = sample.schema
    problems = []
    for name in job.numbers:
        dtype = schema.field(name).type
        if is_moment(dtype):
            continue
        problems.append(
            f"numbers.{name}: the column is {dtype}, and no date, time or duration; leave it out"
        )
    named = (*job.lengths, *job.cut)
    # A dict for its order: each once.
    of_lists = dict.fromkeys(named)
    for name in of_lists:
        dtype = schema.field(name).type
        if is_list(dtype):
            continue
        problems.append(f"lengths, cut: column {name!r} is {dtype}, and no list; leave it out")
    return problems


def take_complete_rows(
    sample: pa.Table, contract: Contract, is_too_long: np.ndarray | None = None
) -> pa.Table:
    """Return the rows of the sample without those that the contract rejects.

    Args:
        sample: its rows.
        contract: of the model.
        is_too_long: bool (rows,), which of them have a list that is too long; None for none.

    Raises:
        JobError: a column has missing values that must have none, or rows are left in no column.
    """
    is_complete = np.ones(sample.num_rows, dtype=bool)
    if is_too_long is not None:
        is_complete &= ~is_too_long
    problems = []
    for rule in contract:
        # Such rows are scored with what takes the place.
        if rule.missing == "fill":
            continue
        column = sample.column(rule.name).combine_chunks()
        missing = missing_mask(column)
        if missing is None:
            continue
        is_missing = missing.to_numpy(zero_copy_only=False)
        count = int(is_missing.sum())
        if count and rule.missing == "error":
            problems.append(
                f"column {rule.name!r} has {count:,} missing values in the sample, and missing is "
                f"error: say fill.{rule.name}, or missing: reject"
            )
        is_complete &= ~is_missing
    if problems:
        raise JobError("; ".join(problems))
    if not is_complete.any():
        first = contract[0].name
        raise JobError(
            "every row of the sample has a missing value or a list that is too long; say what takes "
            f"its place, for example fill.{first}, or a larger length"
        )
    mask = pa.array(is_complete)
    complete = sample.filter(mask)
    return complete.combine_chunks()
