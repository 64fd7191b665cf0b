"""A run of small shards that are put together is killed among its units: done units stand, and a rerun ends in the same bytes."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pytest

from tests.faults.counts import full_or
from tests.faults.injector import Request
from tests.faults.programs import flags_of
from tests.faults.server import Server
from tests.faults.world import Seen, read_output
from tests.support.builders import FEATURES, tiny_package
from tests.support.jobs import small_table, write_job, write_parquet

KILLED = -9
SHARDS, ROWS, BAD = 100, 5, (85, 90)
RECORDED = "transforms.output.done_record.finish_unit:files.create"
OPENED = "transforms.output.part_file.PartFile.__init__:files.open_synced"
Flags: TypeAlias = tuple[str, ...]
PLAIN: Flags = ()
FOLDERS = ("--set", "sink.partition_by=[day]", "--set", "sink.source_columns=true")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job of a hundred shards of five rows, two of which are rejected."""
    folder = tmp_path_factory.mktemp("small")
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    package = tiny_package(folder / "model", columns=columns)
    for shard in range(SHARDS):
        ids = range(shard * ROWS, (shard + 1) * ROWS)
        b = pa.array([None if row in BAD else row / 7 for row in ids], type=pa.float32())
        days = [f"d{row % 3}" for row in ids]
        rows = small_table(ROWS, first=shard * ROWS, b=b, day=pa.array(days))
        write_parquet(folder / f"shards/{shard:05d}.parquet", rows)
    source = {"passthrough": ["day"]}
    errors = {"max_rejected_rows": len(BAD)}
    return write_job(folder, package, source=source, model={"batch_rows": 32}, errors=errors)


@pytest.fixture(scope="module")
def undisturbed(
    job: Path, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[Flags, Seen]:
    """What runs give that nobody kills, by their flags."""
    ends = {}
    for number, flags in enumerate((PLAIN, FOLDERS)):
        output = tmp_path_factory.mktemp("undisturbed") / str(number)
        assert server.strike(scoring(job, output, flags, beam=full_or(False, True))) == 0
        end = read_output(output)
        assert end is not None
        (manifest,) = output.glob("runs/*/_manifest.json")
        # Else nothing was put together, and other tests would do.
        assert len(json.loads(manifest.read_text())["units"]) < SHARDS
        ends[flags] = end
    return ends


def scoring(job: Path, output: Path, flags: Flags, **fault: Any) -> Request:
    return Request("pipelines.score", flags_of(job, output, *flags), f"{output}.log", **fault)


def identify(path: Path) -> tuple[int, int]:
    """What a file is on the disk, under whatever name: a number, which may be given once more, and a time."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns


def find_done(output: Path) -> set[tuple[int, int]]:
    """What files of scored rows the recorded units of an unfinished run have."""
    done = set()
    for record in output.glob("_tmp/*/done/*.json"):
        attempts = record.parent.with_name("attempts")
        for file in json.loads(record.read_text())["scored"]:
            done.add(identify(attempts / file["path"]))
    return done


@pytest.mark.parametrize("flags", [PLAIN, FOLDERS], ids=["plain", "folders"])
@pytest.mark.parametrize(("chain", "hit"), [(RECORDED, 1), (RECORDED, 20), (OPENED, 9)])
def test_killed_after_some_units_it_goes_on_with_the_others(
    chain: str,
    hit: int,
    flags: Flags,
    job: Path,
    undisturbed: dict[Flags, Seen],
    server: Server,
    tmp_path: Path,
) -> None:
    output = tmp_path / "scores"
    killed = scoring(
        job, output, flags, beam=False, chain=chain, hit=hit, after=True, action="kill"
    )
    assert server.strike(killed) == KILLED
    assert read_output(output) is None
    done = find_done(output)
    assert done

    units_done = len(list(output.glob("_tmp/*/done/*.json")))
    record = tmp_path / "chains"
    again = scoring(job, output, flags, beam=full_or(False, True), record=str(record))
    assert server.strike(again) == 0
    assert read_output(output) == undisturbed[flags]
    # Only the others are scored: each asks for its record once.
    (manifest,) = output.glob("runs/*/_manifest.json")
    units = len(json.loads(manifest.read_text())["units"])
    assert record.read_text().splitlines().count(RECORDED) == units - units_done
    # What was done is published as it was written, and not once more.
    published = {identify(path) for path in output.glob("runs/*/scored/**/*.parquet")}
    assert done < published
    assert list((output / "_tmp").iterdir()) == []
