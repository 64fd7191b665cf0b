"""Hundreds of small shards are a few units: every row is scored once, and whatever is told of a row names its file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import torch

from pipelines import verify
from pipelines.cli.command_line import run_program
from tests.support.builders import FEATURES, tiny_network, tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.runs import published

SHARDS, ROWS = 100, 5
COLUMNS = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
BUDGET = ("--set", "errors.max_rejected_rows=20")
Run = Callable[..., Outcome]


def rows_of(shard: int, holes: tuple[int, ...] = ()) -> pa.Table:
    """The rows of a shard, some of them without a value."""
    table = small_table(ROWS, first=shard * ROWS)
    b = [None if row in holes else float(shard + row) / 7 for row in range(ROWS)]
    return table.set_column(2, "b", pa.array(b, type=pa.float32()))


def write_shard(folder: Path, shard: int, holes: tuple[int, ...] = ()) -> Path:
    return write_parquet(folder / f"shards/{shard:05d}.parquet", rows_of(shard, holes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job of a hundred shards of five rows."""
    package = tiny_package(tmp_path / "model", columns=COLUMNS)
    write_job(tmp_path, package, model={"batch_rows": 64})
    for shard in range(SHARDS):
        write_shard(tmp_path, shard)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    def run(*flags: str, output: str = "scores") -> Outcome:
        return run_job(folder / "job.yaml", *flags, output=folder / output)

    return run


def expected(table: pa.Table) -> np.ndarray:
    """The probabilities of rows, by the network alone."""
    x = np.stack([table.column(name).to_numpy() for name in FEATURES], axis=1)
    with torch.inference_mode():
        logit = tiny_network()(x=torch.from_numpy(x))["logit"]
    return torch.sigmoid(logit).numpy()


def find_middle(table: pa.Table) -> float:
    """A probability that about half of the rows have, and none of them nearly."""
    values = np.sort(expected(table))
    half = len(values) // 2
    gaps = np.diff(values[half - 20 : half + 20])
    widest = half - 20 + int(gaps.argmax())
    return round(float(values[widest] + values[widest + 1]) / 2, 6)


def test_every_row_is_scored_once_in_few_files(folder: Path, run: Run) -> None:
    outcome = run()
    rows = outcome.rows()
    together = pa.concat_tables([rows_of(shard) for shard in range(SHARDS)])
    assert rows.column("id").to_pylist() == list(range(SHARDS * ROWS))
    np.testing.assert_allclose(rows.column("probability").to_numpy(), expected(together), rtol=1e-6)
    assert 16 <= len(outcome.parts) <= SHARDS / 1.5
    books = outcome.manifest["units"]
    shards = [number for unit in books for number, *_ in unit.get("shards", ())]
    assert len(shards) == len(set(shards))
    for unit in books:
        for number, *counts in unit.get("shards", ()):
            assert outcome.manifest["inputs"][number]["rows"] == ROWS
            assert counts == [ROWS, ROWS, 0, 0, 0]
    assert run_program(verify.main, [str(folder / "scores")]) == 0


@pytest.mark.slow
def test_rejected_and_filtered_rows_are_told_by_shard(folder: Path, run: Run) -> None:
    write_shard(folder, 3, holes=(1, 4))
    write_shard(folder, 70, holes=(0,))
    together = pa.concat_tables([rows_of(shard) for shard in range(SHARDS)])
    middle = find_middle(together)
    outcome = run(*BUDGET, "--set", f"postprocess.where=probability > {middle}")
    records = [(Path(r["source"]).stem, r["row"], r["key"]) for r in outcome.rejected()]
    assert records == [("00003", 1, 16), ("00003", 4, 19), ("00070", 0, 350)]
    passing = expected(together) > middle
    counted = {}
    for unit in outcome.manifest["units"]:
        for number, *counts in unit.get("shards", ()):
            name = Path(outcome.manifest["inputs"][number]["url"]).stem
            counted[int(name)] = counts
    for shard, (*counts, left_out) in counted.items():
        holes = {3: [1, 4], 70: [0]}.get(shard, [])
        kept = np.delete(passing[shard * ROWS : (shard + 1) * ROWS], holes)
        assert left_out == 0
        assert counts == [
            ROWS,
            kept.sum(),
            (~kept).sum(),
            len(holes),
        ]


def test_a_broken_shard_is_refused_by_its_name(folder: Path, run: Run) -> None:
    path = write_shard(folder, 41)
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)
    run().refused("00041.parquet: cannot be read")


@pytest.mark.slow
def test_units_that_stand_are_reused_though_a_shard_is_new(folder: Path, run: Run) -> None:
    write_shard(folder, 3, holes=(1,))
    first = run(*BUDGET)
    before = {path.name: path.stat().st_ino for path in first.parts}
    write_shard(folder, 3)
    write_parquet(folder / "shards/00050-more.parquet", small_table(2, first=1_000))
    second = run("--reuse_from", "current")
    assert second.manifest["rows"]["scored"] == SHARDS * ROWS + 2
    # A link, and no new file.
    inodes = [path.stat().st_ino for path in second.parts]
    reused = set(before.values()) & set(inodes)
    assert len(reused) >= len(before) - 4
    run(output="clean")
    assert published(folder / "scores") == published(folder / "clean")
    assert run_program(verify.main, [str(folder / "scores")]) == 0


@pytest.mark.slow
def test_csv_and_folders_of_partitions_are_put_together(tmp_path: Path) -> None:
    package = tiny_package(tmp_path / "model", columns=COLUMNS)
    types = dict.fromkeys(FEATURES, "float") | {"id": "int64", "day": "string"}
    source = {
        "paths": f"{tmp_path}/shards/*/*.csv",
        "format": "csv",
        "types": types,
        "passthrough": ["id", "day"],
    }
    job = write_job(tmp_path, package, source=source, model={"batch_rows": 64})
    for shard in range(SHARDS):
        path = tmp_path / f"shards/day={shard % 7}/{shard:05d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pacsv.write_csv(rows_of(shard), path)
    outcome = run_job(job)
    rows = outcome.rows()
    together = pa.concat_tables([rows_of(shard) for shard in range(SHARDS)])
    np.testing.assert_allclose(rows.column("probability").to_numpy(), expected(together), rtol=1e-6)
    days = [str(number // ROWS % 7) for number in range(SHARDS * ROWS)]
    assert rows.column("day").to_pylist() == days
    assert len(outcome.parts) < SHARDS
    with_shards = [unit["shards"] for unit in outcome.manifest["units"] if "shards" in unit]
    assert {tuple(counts) for unit in with_shards for _, *counts in unit} == {(5, 5, 0, 0, 0)}


@pytest.mark.slow
def test_dictionaries_of_many_shards_come_out_as_they_are(tmp_path: Path) -> None:
    """Each shard has a dictionary of its own, and all shards together more values than an index counts."""
    package = tiny_package(tmp_path / "model", columns=COLUMNS)
    job = write_job(tmp_path, package, source={"passthrough": ["id", "word"]})
    small = pa.dictionary(pa.int8(), pa.string())
    for shard in range(SHARDS):
        words = pa.array([f"{shard}-{row}" for row in range(ROWS)])
        rows = rows_of(shard).append_column("word", words.dictionary_encode().cast(small))
        write_parquet(tmp_path / f"shards/{shard:05d}.parquet", rows)
    # File by file, as no reader puts them together.
    words = []
    for part in run_job(job).parts:
        words += pq.read_table(part).column("word").to_pylist()
    assert words == [f"{n // ROWS}-{n % ROWS}" for n in range(SHARDS * ROWS)]


@pytest.mark.slow
def test_rows_that_the_source_leaves_out_are_told_by_shard(run: Run) -> None:
    """Of shards 10 and 11 all rows are left out, of shard 12 three."""
    outcome = run("--set", "source.where=id < 50 or id >= 63")
    assert outcome.rows().num_rows == SHARDS * ROWS - 13
    left_out = {}
    for unit in outcome.manifest["units"]:
        for number, *_, count in unit.get("shards", ()):
            url = outcome.manifest["inputs"][number]["url"]
            left_out[int(Path(url).stem)] = count
    told = {shard: count for shard, count in left_out.items() if count}
    assert told.items() <= {10: ROWS, 11: ROWS, 12: 3}.items()
    assert outcome.manifest["rows"]["left_out"] == 13


def test_each_row_tells_its_file_and_its_number_there(folder: Path, run: Run) -> None:
    write_shard(folder, 3, holes=(1,))
    together = pa.concat_tables([rows_of(shard) for shard in range(SHARDS)])
    filtered = f"postprocess.where=probability > {find_middle(together)}"
    rows = run(*BUDGET, "--set", "sink.source_columns=true", "--set", filtered).rows()
    assert 0 < rows.num_rows < SHARDS * ROWS
    ids = rows.column("id").to_pylist()
    files = [f"{folder}/shards/{number // ROWS:05d}.parquet" for number in ids]
    assert rows.column("source_file").to_pylist() == files
    assert rows.column("source_row").to_pylist() == [number % ROWS for number in ids]
    assert rows.schema.names[-2:] == ["source_file", "source_row"]


@pytest.mark.slow
@pytest.mark.beam
def test_the_bytes_are_the_same_with_any_number_of_workers(folder: Path, run: Run) -> None:
    assert run("--direct_num_workers", "1", output="one").status == 0
    assert run("--direct_num_workers", "3", output="three").status == 0
    assert published(folder / "one") == published(folder / "three")
    assert pq.read_table(folder / "one/current").num_rows == SHARDS * ROWS
