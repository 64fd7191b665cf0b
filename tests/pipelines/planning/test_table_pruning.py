"""Data files that a table's log leaves out: none of which a row would have passed, of any type, and most of the others."""

from collections.abc import Callable, Iterator
from pathlib import Path
import random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines.planning.table_pruning import prune_table
from tests.support.iceberg_tables import append_in_parts, open_catalog, place
from tests.support.tables import make_random_filter, make_random_rows, rows_that_pass
from transforms.formats.column import Column
from transforms.lakes.choice import Choice
from transforms.lakes.delta import read_delta
from transforms.where import where_columns

deltalake = pytest.importorskip("deltalake")
FILES = 8


def read_pruned(table: Path, where: str, read: Callable[..., Any] = read_delta) -> set[str]:
    """Return the data files that are kept; all are, where none is left."""
    names = where_columns(where)
    snapshot = read(str(table), Choice(where=where, filtered_by=tuple(names)))
    wanted = [Column(name, None) for name in names]
    try:
        kept = prune_table(snapshot, where, wanted)
    except InputError:
        return set()
    return {file.url for file in kept.files}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Tables of small files, of narrow ranges of values: by commits, by a checkpoint, and partitioned."""
    folder = tmp_path_factory.mktemp("tables")
    chance = random.Random(1)  # noqa: S311
    parts = [make_random_rows(chance, number) for number in range(FILES)]
    made = []
    for name, options in (
        ("plain", {}),
        ("checkpoint", {}),
        ("parted", {"partition_by": ["text"]}),
    ):
        table = folder / name
        for rows in parts:
            deltalake.write_deltalake(str(table), rows, mode="append", **options)
        if name == "checkpoint":
            deltalake.DeltaTable(str(table)).create_checkpoint()
            for commit in (table / "_delta_log").glob("*.json"):
                if int(commit.stem) < FILES - 1:
                    commit.unlink()
        made.append(table)
    return made


@pytest.mark.slow
def test_no_row_that_passes_is_left_out(tables: list[Path]) -> None:
    chance = random.Random(2)  # noqa: S311
    for table in tables:
        paths = [path for path in table.rglob("*.parquet") if "_delta_log" not in path.parts]
        files = {str(path): read_rows(path) for path in paths}
        left_out = 0
        needless = 0
        for _ in range(20):
            where = make_random_filter(chance)
            kept = read_pruned(table, where)
            for url, rows in files.items():
                passing = rows_that_pass(rows, where)
                assert url in kept or not passing, (table, where, url)
                left_out += url not in kept
                needless += url in kept and not passing
        assert left_out > needless, (table, left_out, needless)


def read_rows(path: Path) -> pa.Table:
    rows = pq.read_table(path, partitioning=None)
    for folder in path.parents:
        if folder.name.startswith("text="):
            text = folder.name.removeprefix("text=")
            value = None if text.startswith("__HIVE") else text
            rows = rows.append_column("text", pa.array([value] * len(rows), pa.string()))
    return rows


PARTS = {
    "none": {},
    "identity": {"text": "identity"},
    "dates": {"moment": "day", "day": "month"},
    "buckets": {"whole": "bucket[4]", "long_text": "truncate[5]"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_no_row_that_passes_is_left_out_of_iceberg(name: str, tmp_path: Path) -> None:
    """By values in manifests, and by what partitions are made of."""
    pytest.importorskip("pyiceberg")
    pytest.importorskip("sqlalchemy")
    from pyiceberg.transforms import parse_transform

    from transforms.lakes.iceberg import read_iceberg

    chance = random.Random(3)  # noqa: S311
    parts = []
    for number in range(FILES):
        rows = make_random_rows(chance, number).drop_columns("small")
        # pyiceberg itself fails on the letter before the halves of letters.
        texts = pc.replace_substring(rows["long_text"], "\ud7ff", "q")
        position = rows.column_names.index("long_text")
        parts.append(rows.set_column(position, "long_text", texts))
    with open_catalog(tmp_path) as catalog:
        table = catalog.create_table("db.t", parts[0].schema)
        with table.update_spec() as change:
            for column, transform in PARTS[name].items():
                change.add_field(column, parse_transform(transform), f"{column}_part")
        for rows in parts:
            append_in_parts(table, rows)
    url = place(table)
    files = {str(path): read_rows(path) for path in tmp_path.rglob("*.parquet")}
    left_out = 0
    needless = 0
    for _ in range(40):
        where = make_random_filter(chance)
        if "small" in where:
            continue
        kept = read_pruned(url, where, read_iceberg)
        for file, rows in files.items():
            passing = rows_that_pass(rows, where)
            assert file in kept or not passing, (name, where, file)
            left_out += file not in kept
            needless += file in kept and not passing
    assert left_out > needless, (name, left_out, needless)
