"""Shards that are broken cost themselves where the job allows some: all others are scored, and each lost row is told.

In every format, packed with good ones; without a budget, and over it, nothing is published.
"""

from collections.abc import Callable
from functools import partial
import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import feather, orc
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from pipelines.scoring import launch as launching
from tests.support.avro_files import write_avro
from tests.support.broken_files import write_spoilt
from tests.support.delta_tables import actions_of, delete_rows
from tests.support.format_files import write_lines
from tests.support.iceberg_tables import delete_by_positions, list_data_files, open_catalog
from tests.support.jobs import Outcome, run_job, small_table, write_parquet

# More than keep units of their own, so that they are put together.
SHARDS, ROWS = 70, 6
CUT, SPOILT = 5, 40
TYPES = {"id": "int64"}
Score = Callable[..., Outcome]
Write = Callable[[Path, pa.Table], Any]


def write_plain_parquet(path: Path, rows: pa.Table) -> None:
    write_parquet(path, rows, compression="none", write_page_checksum=True)


def write_csv(path: Path, rows: pa.Table) -> None:
    pacsv.write_csv(rows, path)


def write_packed(write: Write) -> Write:
    def write_it(path: Path, rows: pa.Table) -> None:
        write(path, rows)
        path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))

    return write_it


def write_feather(path: Path, rows: pa.Table) -> None:
    feather.write_feather(rows, str(path), compression="zstd")


def write_orc(path: Path, rows: pa.Table) -> None:
    orc.write_table(rows, str(path), compression="zlib")


# By ending: the format, what writes a table, and what of a file is spoilt so that its header stays whole.
FORMATS: dict[str, tuple[str, Write, slice]] = {
    "parquet": ("parquet", write_plain_parquet, slice(40, 60)),
    "csv": ("csv", write_csv, slice(-4, -1)),
    "csv.gz": ("csv", write_packed(write_csv), slice(-8, None)),
    "jsonl.gz": ("jsonl", write_packed(write_lines), slice(-8, None)),
    "arrow": ("arrow", write_feather, slice(560, 600)),
    "orc": ("orc", write_orc, slice(160, 176)),
}


def spoil(path: Path, where: slice) -> None:
    """Put other bytes into a file: an opening quote for CSV, as nothing else ends before its rows do."""
    content = bytearray(path.read_bytes())
    length = len(content[where])
    content[where] = b'"' * length
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Leave a file without its last bytes, so that it was not written to its end."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def write_shards(folder: Path, ending: str) -> list[Path]:
    _, write, _ = FORMATS[ending]
    folder.mkdir()
    paths = []
    for number in range(SHARDS):
        path = folder / f"{number:03d}.{ending}"
        write(path, small_table(ROWS, first=number * ROWS))
        paths.append(path)
    return paths


def settings_of(ending: str, shards: int) -> dict[str, Any]:
    name, *_ = FORMATS[ending]
    settings: dict[str, Any] = {
        "source.format": name,
        "errors.max_broken_shards": shards,
        "errors.max_rejected_percent": 0,
    }
    if name in ("csv", "jsonl"):
        settings["source.types"] = TYPES
    return settings


@pytest.mark.parametrize(
    "ending",
    [
        "parquet",
        "orc",
        pytest.param("arrow", marks=pytest.mark.slow),
        pytest.param("csv", marks=pytest.mark.slow),
        pytest.param("csv.gz", marks=pytest.mark.slow),
        pytest.param("jsonl.gz", marks=pytest.mark.slow),
    ],
)
def test_others_are_scored_and_each_lost_row_is_told(
    ending: str, score_it: Score, tmp_path: Path
) -> None:
    folder = tmp_path / "shards"
    paths = write_shards(folder, ending)
    *_, where = FORMATS[ending]
    # Half a CSV file is one, whose last row is cut.
    lost = {SPOILT} if ending == "csv" else {CUT, SPOILT}
    if CUT in lost:
        cut(paths[CUT])
    spoil(paths[SPOILT], where)
    outcome = score_it(folder, settings=settings_of(ending, len(lost)))
    ids = outcome.rows().column("id").to_pylist()
    wanted = [number for number in range(SHARDS * ROWS) if number // ROWS not in lost]
    assert set(wanted) <= set(ids)
    assert len(ids) == len(set(ids)) == outcome.manifest["rows"]["scored"]
    broken = outcome.manifest["broken_shards"]
    assert {shard["url"] for shard in broken} == {str(paths[number]) for number in lost}
    for shard in broken:
        assert shard["url"] in shard["message"]
    # Either each row has a record with its number, or the shard has one without.
    told = {(record["source"], record["row"]) for record in outcome.rejected()}
    expected: set[tuple[str, int | None]] = set()
    for shard in broken:
        numbers: list[int | None] = [None]
        if shard["rows"] is not None:
            numbers = [*range(shard["row"], shard["row"] + shard["rows"])]
        expected |= {(shard["url"], number) for number in numbers}
    assert told == expected
    assert run_program(verify.main, [str(outcome.output), "--inputs"]) == 0


@pytest.mark.slow
@pytest.mark.beam
def test_a_broken_row_group_costs_its_rows_and_all_others_are_scored(
    score_it: Score, tmp_path: Path
) -> None:
    path = tmp_path / "in.parquet"
    write_plain = partial(write_parquet, compression="none", write_page_checksum=True)
    write_plain(path, small_table(1_000), row_group_size=100, use_dictionary=False)
    good = write_parquet(tmp_path / "other.parquet", small_table(10, first=1_000))
    # Rows of three row groups in each batch.
    settings = {"errors.max_broken_percent": 50, "source.rows_per_batch": 250}
    whole = score_it(path, good, settings=settings)
    assert whole.manifest["broken_shards"] == []
    for group in (3, 4, 9):
        column = pq.read_metadata(path).row_group(group).column(1)
        spoil(path, slice(column.data_page_offset + 60, column.data_page_offset + 70))
    score_it(path, good).refused("in.parquet: cannot be read from row 300 on, in column")
    outcome = score_it(path, good, settings=settings)
    lost = [*range(300, 500), *range(900, 1_000)]
    assert [record["row"] for record in outcome.rejected()] == lost
    assert {record["stage"] for record in outcome.rejected()} == {"read"}
    assert outcome.manifest["rows"] == {"in": 1_010, "scored": 710, "filtered": 0, "rejected": 300}
    told = [(shard["row"], shard["rows"]) for shard in outcome.manifest["broken_shards"]]
    assert told == [(300, 100), (400, 100), (900, 100)]
    # To the bit as they are where nothing is broken.
    is_read = pc.invert(pc.is_in(whole.rows()["id"], pa.array(lost)))
    assert outcome.rows().equals(whole.rows().filter(is_read))
    assert run_program(verify.main, [str(outcome.output), "--inputs"]) == 0


@pytest.mark.slow
def test_of_csv_the_rows_before_are_scored(score_it: Score, tmp_path: Path) -> None:
    """Also those of the last batch that was read, which waits to be told whether it is the last one."""
    opened, packed = tmp_path / "opened.csv", tmp_path / "packed.csv.gz"
    opened.write_text("id,a,b,c\n" + "".join(f"{n},1,2,3\n" for n in range(8)) + '8,"1,2,3\n')
    # More than what is read of a file when the run is planned.
    filling = "x" * 1_000
    lines = [f"{n},1,2,{n % 977},{filling}\n" for n in range(9, 14_009)]
    content = gzip.compress(("id,a,b,c,s\n" + "".join(lines)).encode(), compresslevel=1, mtime=0)
    packed.write_bytes(content[:-100])
    settings = {**settings_of("csv", 2), "source.rows_per_batch": 1_000}
    outcome = score_it(opened, packed, settings=settings)
    in_plain, in_packed = outcome.manifest["broken_shards"]
    assert (in_plain["row"], in_plain["rows"], in_packed["rows"]) == (8, None, None)
    # All but what a block held that could not be unpacked whole.
    assert 4_000 < in_packed["row"] < 14_000
    ids = outcome.rows().column("id").to_pylist()
    assert ids == [*range(8), *range(9, 9 + in_packed["row"])]
    assert [record["row"] for record in outcome.rejected()] == [None, None]


def test_of_avro_a_cut_file_costs_itself_and_a_block_its_rows(
    score_it: Score, tmp_path: Path
) -> None:
    """A block that is broken needs no budget of shards, as its rows are known and the next block is found."""
    paths = [tmp_path / f"{number}.avro" for number in range(3)]
    for number, path in enumerate(paths):
        write_avro(path, small_table(ROWS, first=number * ROWS))
    cut(paths[0])
    spoil(paths[1], slice(-40, -17))
    settings = {"source.format": "avro", "errors.max_broken_shards": 1}
    outcome = score_it(*paths, settings=settings)
    assert outcome.rows().column("id").to_pylist() == list(range(2 * ROWS, 3 * ROWS))
    assert [shard["url"] for shard in outcome.manifest["broken_shards"]] == [str(paths[0])]
    told = [(record["source"], record["row"]) for record in outcome.rejected()]
    assert told == [(str(paths[0]), None), *((str(paths[1]), row) for row in range(ROWS))]


def test_a_broken_file_of_a_table_costs_itself_and_a_missing_one_the_run(
    score_it: Score, tmp_path: Path
) -> None:
    deltalake = pytest.importorskip("deltalake")
    table = tmp_path / "t"
    deltalake.write_deltalake(str(table), small_table(6))
    deltalake.write_deltalake(str(table), small_table(4, first=6), mode="append")
    (newest,) = [add["path"] for add in actions_of(table, "add")][1:]
    settings = {"source.format": "delta", "errors.max_broken_shards": 1}
    content = (table / newest).read_bytes()
    # As long as the log says, and spoilt where the footer is.
    (table / newest).write_bytes(content[:-40] + bytes(36) + content[-4:])
    score_it(table, settings={"source.format": "delta"}).refused(newest)
    outcome = score_it(table, settings=settings)
    assert outcome.rows().column("id").to_pylist() == list(range(6))
    (shard,) = outcome.manifest["broken_shards"]
    assert (shard["url"], shard["stage"]) == (str(table / newest), "plan")
    (table / newest).unlink()
    score_it(table, settings=settings).refused(f"{newest}: is gone")


def test_of_a_table_rows_are_counted_without_the_deleted_ones(
    score_it: Score, tmp_path: Path
) -> None:
    deltalake = pytest.importorskip("deltalake")
    table = tmp_path / "t"
    properties = deltalake.WriterProperties(max_row_group_size=10, compression="UNCOMPRESSED")
    deltalake.write_deltalake(str(table), small_table(60), writer_properties=properties)
    # Before the break, in the broken row groups, at their edges and behind them.
    deleted = [*range(1, 9), 19, 20, 25, 40, *range(50, 60)]
    delete_rows(table, deleted)
    (path,) = table.glob("*.parquet")
    for group in (2, 4):
        column = pq.read_metadata(path).row_group(group).column(1)
        place = column.dictionary_page_offset or column.data_page_offset
        spoil(path, slice(place, place + 6))
    settings = {"source.format": "delta", "errors.max_broken_shards": 1}
    score_it(table, settings={"source.format": "delta"}).refused(path.name)
    outcome = score_it(table, settings=settings)
    alive = [row for row in range(60) if row not in deleted]
    ids = outcome.rows().column("id").to_pylist()
    assert ids == [row for row in alive if row // 10 not in (2, 4)]
    numbers = [record["row"] for record in outcome.rejected()]
    assert numbers == [at for at, row in enumerate(alive) if row // 10 in (2, 4)]
    told = [(shard["row"], shard["rows"]) for shard in outcome.manifest["broken_shards"]]
    assert told == [(11, 8), (29, 9)]
    assert run_program(verify.main, [str(outcome.output), "--inputs"]) == 0


@pytest.mark.slow
def test_a_broken_file_of_an_iceberg_table_costs_itself(score_it: Score, tmp_path: Path) -> None:
    """One that was not written to its end, and one whose deleted rows are lost with the others."""
    pytest.importorskip("pyiceberg")
    pytest.importorskip("sqlalchemy")
    with open_catalog(tmp_path) as catalog:
        table = catalog.create_table("db.t", small_table(1).schema)
        for number in range(3):
            table.append(small_table(4, first=4 * number))
        by_first_id = {
            pq.read_table(path)["id"][0].as_py(): path for path in list_data_files(table)
        }
        spoilt, cut_one, whole = (by_first_id[first] for first in (0, 4, 8))
        metadata = delete_by_positions(table, {spoilt: [1], whole: [2]})
    write_spoilt(Path(spoilt), pq.read_table(spoilt))
    cut(Path(cut_one))
    settings = {"source.format": "iceberg", "errors.max_broken_shards": 2}
    score_it(metadata, settings={"source.format": "iceberg"}).refused(cut_one)
    outcome = score_it(metadata, settings=settings)
    assert outcome.rows().column("id").to_pylist() == [8, 9, 11]
    broken = {(shard["url"], shard["rows"]) for shard in outcome.manifest["broken_shards"]}
    assert broken == {(cut_one, None), (spoilt, 3)}
    numbers = [record["row"] for record in outcome.rejected()]
    assert numbers.count(None) == 1
    assert len(numbers) == 4
    assert run_program(verify.main, [str(outcome.output), "--inputs"]) == 0


def test_of_folders_with_values_the_first_whole_file_tells_the_columns(
    score_it: Score, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    broken = write_parquet(lake / "day=1/a.parquet")
    cut(broken)
    write_parquet(lake / "day=2/a.parquet", small_table(3))
    settings = {"source.partitions": "hive", "source.passthrough": ["day"]}
    score_it(lake, settings=settings).refused("day=1/a.parquet: is not a readable")
    outcome = score_it(lake, settings={**settings, "errors.max_broken_percent": 50})
    assert outcome.rows().column("day").to_pylist() == [2, 2, 2]
    assert [shard["url"] for shard in outcome.manifest["broken_shards"]] == [str(broken)]


def test_over_the_budget_nothing_is_published(score_it: Score, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    paths = write_shards(folder, "parquet")
    *_, where = FORMATS["parquet"]
    spoil(paths[SPOILT], where)
    score_it(folder, settings=settings_of("parquet", 0)).refused(f"{paths[SPOILT]}: cannot be read")
    spoil(paths[CUT], where)
    outcome = score_it(folder, settings=settings_of("parquet", 1))
    outcome.refused("2 of 70 shards", str(paths[CUT]), str(paths[SPOILT]), status=4)
    # Those that are found before anything is scored end the run there.
    cut(paths[CUT])
    cut(paths[SPOILT])
    outcome = score_it(folder, settings=settings_of("parquet", 1))
    outcome.refused("2 of 70 shards", str(paths[CUT]), str(paths[SPOILT]), status=4)
    assert not list(outcome.output.glob("_tmp/*"))


def test_a_raised_budget_takes_what_was_scored(job: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    paths = write_shards(folder, "parquet")
    *_, where = FORMATS["parquet"]
    spoil(paths[CUT], where)
    spoil(paths[SPOILT], where)
    settings = {"source.paths": str(folder), **settings_of("parquet", 1)}
    output = tmp_path / "scores"
    run = partial(run_job, job, output=output)
    run(settings=settings).refused("2 of 70 shards", status=4)
    written = {path.stat().st_ino for path in output.glob("_tmp/*/attempts/*.parquet")}
    outcome = run(settings={**settings, "errors.max_broken_shards": 2})
    assert outcome.manifest["rows"]["rejected"] == 2 * ROWS
    # The very files: nothing was scored again.
    assert {path.stat().st_ino for path in outcome.parts} <= written
    # Whole again, it is other work, which takes all units but theirs.
    write_plain_parquet(paths[CUT], small_table(ROWS, first=CUT * ROWS))
    again = run("--reuse_from", "current", settings={**settings, "errors.max_broken_shards": 2})
    assert again.manifest["rows"]["rejected"] == ROWS
    assert [shard["url"] for shard in again.manifest["broken_shards"]] == [str(paths[SPOILT])]


def test_a_missing_column_and_a_file_without_a_byte_cost_themselves(
    score_it: Score, tmp_path: Path
) -> None:
    folder = tmp_path / "shards"
    write_parquet(folder / "0.parquet", small_table(4).drop_columns(["b"]))
    (folder / "1.parquet").touch()
    write_parquet(folder / "2.parquet", small_table(4, first=8))
    score_it(folder).refused("has 0 bytes")
    settings = {"errors.max_broken_shards": 2, "errors.max_rejected_percent": 0}
    outcome = score_it(folder, settings=settings)
    assert outcome.rows().column("id").to_pylist() == [8, 9, 10, 11]
    stages = {(Path(s["url"]).name, s["stage"]) for s in outcome.manifest["broken_shards"]}
    assert stages == {("0.parquet", "plan"), ("1.parquet", "plan")}
    assert [record["row"] for record in outcome.rejected()] == [None, None]
    # Mended, they can be scored now.
    write_parquet(folder / "0.parquet", small_table(4))
    assert run_program(verify.main, [str(outcome.output)]) == 0
    assert run_program(verify.main, [str(outcome.output), "--inputs"]) == 3


def test_of_no_whole_shard_nothing_is_scored(score_it: Score, tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    path.write_bytes(b"PAR1 and no more PAR1")
    outcome = score_it(path, settings={"errors.max_broken_percent": 100})
    outcome.refused("in.parquet: is not a readable Parquet file")


def test_a_shard_that_is_gone_is_not_broken(score_it: Score, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    write_shards(folder, "parquet")
    (folder / "gone.parquet").symlink_to(folder / "nowhere.parquet")
    outcome = score_it(folder, settings={"errors.max_broken_percent": 100})
    outcome.refused("gone.parquet")


def change_before_launch(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]) -> None:
    """Let something happen once, between planning and the first row that is read."""
    launch = launching.launch

    def change_first(*args: Any) -> int:
        monkeypatch.setattr(launching, "launch", launch)
        change()
        return launch(*args)

    monkeypatch.setattr(launching, "launch", change_first)


@pytest.mark.slow
@pytest.mark.beam
def test_shards_that_change_or_go_under_the_run_cost_themselves(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    paths = [
        write_parquet(folder / f"{number}.parquet", small_table(4, first=4 * number))
        for number in range(4)
    ]

    def change() -> None:
        write_parquet(paths[1], small_table(4, first=100))
        paths[2].unlink()

    run = partial(run_job, job, output=tmp_path / "scores")
    settings = {"source.paths": str(folder), "errors.max_broken_shards": 2}
    change_before_launch(monkeypatch, change)
    outcome = run(settings=settings)
    assert outcome.rows().column("id").to_pylist() == [*range(4), *range(12, 16)]
    assert outcome.manifest["rows"]["rejected"] == 8
    told = [
        (shard["url"], shard["stage"], shard["rows"]) for shard in outcome.manifest["broken_shards"]
    ]
    assert told == [(str(paths[1]), "read", 4), (str(paths[2]), "read", 4)]
    for record in outcome.rejected():
        assert f"{record['source']}: changed after the run was planned" in record["message"]
    verified = partial(run_program, verify.main)
    output = str(outcome.output)
    assert (verified([output]), verified([output, "--inputs"])) == (0, 3)
    # What is there now is other work, which takes what was whole.
    again = run("--reuse_from", "current", settings=settings)
    ids = sorted(again.rows().column("id").to_pylist())
    assert ids == [*range(4), *range(12, 16), *range(100, 104)]
    assert again.manifest["broken_shards"] == []


def test_without_a_budget_and_over_it_a_change_ends_the_run(
    score_it: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]
    for budget, gone in ((0, 1), (1, 2)):
        for path in paths:
            write_parquet(path)
        change_before_launch(monkeypatch, partial(list, map(Path.unlink, paths[:gone])))
        outcome = score_it(*paths, settings={"errors.max_broken_shards": budget})
        changed = f"{paths[0]}: changed after the run was planned; start the run again"
        outcome.refused(changed, status=4 if budget else 3)
    outcome.refused("2 of 3 shards are broken", status=4)


def test_a_dry_run_names_them(job: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    paths = write_shards(folder, "parquet")
    cut(paths[CUT])
    *_, where = FORMATS["parquet"]
    spoil(paths[0], where)
    fields = {"source.paths": str(folder), **settings_of("parquet", 2)}
    outcome = run_job(job, "--dry_run", settings=fields)
    assert outcome.status == 0, outcome.error
    assert f"{paths[CUT]}: is not a readable Parquet file" in outcome.said
    assert "rows would be rejected in read" in outcome.said
