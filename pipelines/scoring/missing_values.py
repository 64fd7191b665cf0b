"""What statistics in the input's footers say of missing values, against what the model and the job want."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from configs.errors import InputError
from configs.joined_words import join_some
from pipelines.planning.file_batches import map_some
from pipelines.planning.plan import Plan
from storage import files
from transforms.formats.format import NullCounts, Shard
from transforms.formats.partitions import count_nulls_of

_KEY = "key"
# Enough to see what is meant, few enough for a line.
_SHOWN_NAMES = 5
# What becomes of the rows, by what the contract says of a column.
_OUTCOMES = {
    "reject": "rows would be rejected",
    "error": "rows would end the run",
    "fill": "rows would be filled",
    _KEY: "rows have no key, so nothing names them",
}

Names: TypeAlias = list[str]


@dataclass(frozen=True)
class Missing:
    """What footers say of one column.

    Attributes:
        name: the column.
        policy: what a missing value does: `error`, `reject`, `fill`, or `key`.
        rows: without a value, in the shards whose footers tell.
        first: the first shard that has such a row.
        untold: shards whose footers do not tell.
    """

    name: str
    policy: str
    rows: int
    first: str | None
    untold: int


def count_missing(plan: Plan) -> list[Missing]:
    """Return what footers say of each column of the model, and of the key.

    Args:
        plan: what a run would do.

    Raises:
        InputError: a footer cannot be read.
    """
    policies = _list_policies(plan)
    names = list(policies)
    count = partial(_count_of_shards, plan, names)
    found = {name: _Counted() for name in names}
    on_disk = files.is_local(plan.shards[0].file.url)
    for told in map_some(count, plan.shards, on_disk):
        for url, of_shard in told:
            for name, counted in found.items():
                counted.add(url, of_shard[name])
    missing = []
    for name, policy in policies.items():
        counted = found[name]
        missing.append(Missing(name, policy, counted.rows, counted.first, counted.untold))
    return missing


def describe_missing(found: Sequence[Missing], shards: int) -> str:
    """Return what was found, in one line a column.

    Args:
        found: as `count_missing` gives it.
        shards: how many there are.
    """
    lines = []
    whole_count = 0
    # Together, as all columns of a file without statistics are alike.
    untold: dict[int, Names] = {}
    for missing in found:
        if missing.rows:
            line = _describe_rows(missing, shards)
            lines.append(line)
        elif missing.untold:
            names = untold.setdefault(missing.untold, [])
            names.append(missing.name)
        else:
            whole_count += 1

    if whole_count:
        column_count = len(found)
        line = f"none in {whole_count:,} of {column_count:,} columns"
        lines.append(line)
    for count, names in untold.items():
        shown = join_some(names, _SHOWN_NAMES)
        line = f"{shown}: not told by {count:,} of {shards:,} shards"
        lines.append(line)
    return "\n".join(lines)


def count_rejected_at_least(found: Sequence[Missing]) -> int:
    """Return how many rows are rejected for certain: those of one column, as others may be the same."""
    counts = [missing.rows for missing in found if missing.policy == "reject"]
    return max(counts, default=0)


def refuse_missing(found: Sequence[Missing]) -> None:
    """Refuse an input whose missing values would end the run.

    Raises:
        InputError: a column that must have all values has not.
    """
    for missing in found:
        ends_run = missing.policy == "error"
        rows = missing.rows
        if ends_run and rows:
            raise InputError(
                f"{missing.first}: column {missing.name!r} has missing values, in {rows:,} rows "
                "of all shards whose footers tell, and the model's contract says missing: error; "
                "clean the input, or pack the model with missing: reject or fill"
            )


def _list_policies(plan: Plan) -> dict[str, str]:
    """Return what a missing value does, by column."""
    policies: dict[str, str] = {}
    for column in plan.contract:
        policies[column.name] = column.missing
    key = plan.job.source.key
    # The contract's word comes first, where the model sees the key, too.
    if key is not None:
        policies.setdefault(key, _KEY)
    return policies


@dataclass
class _Counted:
    """What the shards so far have told of a column; see `Missing`."""

    rows: int = 0
    first: str | None = None
    untold: int = 0

    def add(self, url: str, count: int | None) -> None:
        """Add what a shard tells; None where it does not, which is another thing than 0."""
        if count is None:
            self.untold += 1
        elif count:
            self.rows += count
            self.first = self.first or url


def _count_of_shards(
    plan: Plan,
    names: Sequence[str],
    shards: Sequence[Shard],
) -> list[tuple[str, NullCounts]]:
    urls = [shard.file.url for shard in shards]
    return [(url, _count_of_shard(plan, names, url)) for url in urls]


def _count_of_shard(plan: Plan, names: Sequence[str], url: str) -> NullCounts:
    counts = count_nulls_of(plan.format, url, names)
    if counts is not None:
        return counts
    # Of no column is it known how many there are.
    return dict.fromkeys(names)


def _describe_rows(missing: Missing, shards: int) -> str:
    outcome = _OUTCOMES[missing.policy]
    rows = missing.rows
    name = missing.name
    first = missing.first
    line = f"{name}: {rows:,} {outcome} (first in {first})"
    untold = missing.untold
    if untold:
        line += f"; not told by {untold:,} of {shards:,} shards"
    return line
