"""How many broken shards a run may have and still be published."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyarrow import Schema

from configs.errors import BudgetError, InputError
from configs.several_refusals import MOST_REFUSED, RefusedFile, list_reasons
from transforms.broken_shard import BrokenShard
from transforms.limits import count_allowed


@dataclass(frozen=True)
class BrokenRules:
    """What a job says of broken shards: a run may have as many as the larger of both counts.

    Attributes:
        max_shards: so many, however few shards there are.
        max_percent: so many of 100 shards.
        records: columns of the records of rejected rows, in which shards are told, too; None where
            none may be broken.
    """

    max_shards: int = 0
    max_percent: float = 0.0
    records: Schema | None = None

    @property
    def goes_on(self) -> bool:
        """Tell whether a broken shard costs its own rows, and not the run."""
        return bool(self.max_shards or self.max_percent)

    def count_allowed(self, shards: int) -> int:
        """Return how many of so many shards may be broken."""
        return count_allowed(shards, self.max_shards, self.max_percent)


def check_broken(
    broken: Sequence[BrokenShard],
    shards: int,
    rules: BrokenRules,
    is_all: bool = True,
) -> None:
    """Refuse a run with more broken shards than its job allows, and name them.

    Args:
        broken: several may be of one shard.
        shards: all shards of the run, with the broken ones.
        rules: of the job.
        is_all: whether every other shard was looked at, too.

    Raises:
        BudgetError: always when over budget.
    """
    first_of_each: dict[str, BrokenShard] = {}
    for each in broken:
        first_of_each.setdefault(each.shard, each)
    count = len(first_of_each)
    if count <= rules.count_allowed(shards):
        return
    how_many = f"{count:,}"
    if not is_all:
        how_many = f"at least {count:,}"
    raise BudgetError(
        f"{how_many} of {shards:,} shards are broken, but errors.max_broken_shards is "
        f"{rules.max_shards} and errors.max_broken_percent {rules.max_percent:g}: nothing is "
        f"published; mend them, or allow more; {_tell_first(first_of_each.values())}"
    )


def _tell_first(broken: Iterable[BrokenShard]) -> str:
    """Return what is broken about the first of some shards, and how many others there are."""
    all_broken = list(broken)
    refused = []
    for shard in all_broken[:MOST_REFUSED]:
        error = InputError(shard.message)
        refused.append(RefusedFile(shard.shard, error))
    reasons = list_reasons(refused)
    more = len(all_broken) - len(refused)
    if not more:
        return reasons
    return f"{reasons}; and {more:,} more"
