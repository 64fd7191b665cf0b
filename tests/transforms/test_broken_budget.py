"""How many shards may be broken, and how a run with more of them is refused."""

import pyarrow as pa
import pytest

from configs.errors import BudgetError
from transforms.broken_budget import BrokenRules, check_broken
from transforms.broken_shard import BrokenShard


def break_shards(count: int) -> list[BrokenShard]:
    return [
        BrokenShard(f"/in/{number}", "read", 0, None, f"why {number}") for number in range(count)
    ]


def test_a_job_that_says_nothing_allows_none() -> None:
    rules = BrokenRules()
    assert not rules.goes_on
    assert rules.count_allowed(1_000) == 0
    check_broken([], 1_000, rules)
    with pytest.raises(BudgetError, match=r"^1 of 1,000 shards are broken"):
        check_broken(break_shards(1), 1_000, rules)


@pytest.mark.parametrize("rules", [BrokenRules(max_shards=1), BrokenRules(max_percent=0.5)])
def test_either_limit_alone_lets_a_run_go_on(rules: BrokenRules) -> None:
    assert rules.goes_on
    assert rules.count_allowed(200) == 1


def test_as_many_as_are_allowed_pass_and_one_more_does_not() -> None:
    rules = BrokenRules(max_shards=2, max_percent=1.0, records=pa.schema([]))
    check_broken(break_shards(2), 10, rules)
    with pytest.raises(BudgetError) as caught:
        check_broken(break_shards(3), 10, rules)
    told = str(caught.value)
    assert "max_broken_shards is 2 and errors.max_broken_percent 1: nothing is published" in told
    assert "why 2" in told
    assert "more" not in told.partition("; ")[2].replace("allow more", "")


def test_a_shard_that_broke_twice_is_one() -> None:
    check_broken(break_shards(1) * 2, 10, BrokenRules(max_shards=1))


@pytest.mark.parametrize(("is_all", "begin"), [(True, "21 of"), (False, "at least 21 of")])
def test_the_first_20_are_named_and_the_others_counted(is_all: bool, begin: str) -> None:
    with pytest.raises(BudgetError) as caught:
        check_broken(break_shards(21), 30, BrokenRules(max_shards=1), is_all)
    told = str(caught.value)
    assert told.startswith(begin)
    assert told.endswith("; and 1 more")
    assert "why 19" in told
    assert "why 20" not in told
