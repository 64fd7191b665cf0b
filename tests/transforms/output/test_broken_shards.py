"""Broken shards: what a run may have of them, and the records of those whose rows nobody knows."""

from dataclasses import asdict
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import BudgetError
from storage import files
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, planned_run, scored_batch
from tests.support.publishing import write
from transforms.batches import RowRecord, WrittenPart
from transforms.broken_budget import BrokenRules, check_broken
from transforms.broken_shard import BrokenShard, parse_broken
from transforms.output.broken_shards import count_lost_rows, list_broken, publish_broken
from transforms.output.done_record import read_done_record
from transforms.output.published_files import remove_strays
from transforms.publish import publish_run
from transforms.rejected import describe_records

HEAD = {"job": {"name": "demo"}, "planned_at": "2100-01-01T00:00:00.000000+00:00"}
SCHEMA = pa.schema([("id", pa.int64()), ("p", pa.float32())])
RECORDS = describe_records(SCHEMA, RowRecord("id", values=True))
PLANNED = BrokenShard("in/0.csv", "plan", 0, None, "in/0.csv: is no CSV", "size=7")
ENDLESS = BrokenShard("in/1.csv", "read", 4, None, "in/1.csv: ends inside quotes")
COUNTED = BrokenShard("in/2.parquet", "read", 3, 2, "in/2.parquet: cannot be read from row 3 on")


@pytest.mark.parametrize("shard", [PLANNED, ENDLESS, COUNTED])
def test_what_is_stored_of_one_is_read_again(shard: BrokenShard) -> None:
    assert parse_broken(json.loads(json.dumps(shard.describe()))) == shard


@pytest.mark.parametrize(
    ("most", "percent", "shards", "allowed"),
    [(0, 0.0, 100, 0), (3, 0.0, 100, 3), (0, 7.0, 100, 7), (3, 7.0, 100, 7), (3, 7.0, 10, 3)],
)
def test_the_larger_of_both_limits_holds(
    most: int, percent: float, shards: int, allowed: int
) -> None:
    rules = BrokenRules(most, percent)
    assert rules.goes_on == (allowed > 0)
    broken = [
        BrokenShard(f"{number}", "plan", 0, None, f"{number}: is broken")
        for number in range(allowed + 1)
    ]
    check_broken(broken[:-1], shards, rules)
    # Of one shard several pieces may be.
    check_broken([*broken[:-1], *broken[:-1]], shards, rules)
    with pytest.raises(BudgetError, match=rf"^{allowed + 1} of {shards} shards are broken"):
        check_broken(broken, shards, rules)


def test_of_very_many_the_first_are_named() -> None:
    broken = [
        BrokenShard(f"{number:02d}", "plan", 0, None, f"{number:02d}: reason {number}")
        for number in range(33)
    ]
    with pytest.raises(BudgetError) as caught:
        check_broken(broken, 40, BrokenRules(1), is_all=False)
    message = str(caught.value)
    assert message.startswith("at least 33 of 40 shards are broken")
    assert "19: reason 19; and 13 more" in message
    assert "20: reason 20" not in message


def two_units(output: str) -> tuple[RunFolder, list[WrittenPart]]:
    """A unit of three rows of which two more are lost, and one of four, of whose rest nobody knows."""
    units = [make_unit(0, 5, COUNTED.shard), make_unit(1, None, ENDLESS.shard)]
    run = planned_run(output, units)
    counted = scored_batch(units[0], 0, [0, 1, 2], bad=(3, 4), last=True)
    endless = scored_batch(units[1], 0, [5, 6, 7, 8], last=True)
    parts = [
        write(run, unit, type(batch)(**{**vars(batch), "broken": (shard,)}))
        for unit, batch, shard in zip(units, (counted, endless), (COUNTED, ENDLESS), strict=True)
    ]
    return run, parts


def test_a_done_record_keeps_them(tmp_path: Path) -> None:
    run, parts = two_units(str(tmp_path / "out"))
    assert [part.broken for part in parts] == [(COUNTED,), (ENDLESS,)]
    recorded = [read_done_record(run, number) for number in range(2)]
    assert [asdict(part) for part in recorded if part] == [asdict(part) for part in parts]
    assert list_broken([PLANNED], parts[::-1]) == [PLANNED, ENDLESS, COUNTED]
    assert count_lost_rows([PLANNED, ENDLESS, COUNTED]) == 2


def test_lost_rows_count_for_no_budget_of_rows(tmp_path: Path) -> None:
    run, _ = two_units(str(tmp_path / "out"))
    for rules in (BrokenRules(), BrokenRules(1, 0.0, RECORDS)):
        with pytest.raises(BudgetError, match=r"^2 of 2 shards are broken.*ends inside quotes"):
            publish_run(run, [], HEAD, 0, 0.0, broken=rules)
    assert not files.exists(run.manifest)
    publish_run(run, [], HEAD, 0, 0.0, broken=BrokenRules(2, 0.0, RECORDS))
    manifest = json.loads(files.read(run.manifest) or b"")
    assert manifest["broken_shards"] == [ENDLESS.describe(), COUNTED.describe()]
    assert manifest["rows"] == {"in": 9, "scored": 7, "filtered": 0, "rejected": 2}
    (entry,) = manifest["rejected_shards"]
    (record,) = pq.read_table(f"{run.published}/{entry['path']}").to_pylist()
    assert record == {
        "source": ENDLESS.shard,
        "row": None,
        "key": None,
        "stage": "read",
        "error": "InputError",
        "message": ENDLESS.message,
        "values": None,
    }


def test_what_a_killed_publication_left_is_taken_up(tmp_path: Path) -> None:
    run, _ = two_units(str(tmp_path / "out"))
    left = publish_broken(run, [ENDLESS], RECORDS)
    assert publish_broken(run, [ENDLESS], RECORDS) == left
    # Of other content, as another launcher may have left it.
    (stray,) = publish_broken(run, [ENDLESS, PLANNED], RECORDS)["rejected_shards"]
    publish_run(run, [], HEAD, 0, 0.0, broken=BrokenRules(2, 0.0, RECORDS))
    manifest = json.loads(files.read(run.manifest) or b"")
    assert manifest["rejected_shards"] == left["rejected_shards"]
    assert not files.exists(f"{run.published}/{stray['path']}")
    remove_strays(run, manifest)
    assert files.exists(f"{run.published}/{manifest['rejected_shards'][0]['path']}")
    assert publish_broken(run, [COUNTED], RECORDS) == {}
