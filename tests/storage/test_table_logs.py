"""Files of a table with a log are refused, wherever the pattern begins and however its folders lie."""

from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError
from storage import files
from storage.input_listing import list_below_root
from storage.listing import list_paths, locate_pattern
from storage.table_logs import refuse_tables
from tests.support.listing import list_inputs

LOGS = {
    "Delta": "_delta_log/00000000000000000000.json",
    "Hudi": ".hoodie/hoodie.properties",
    "Iceberg": "metadata/00000-7a1c.metadata.json",
}


def write(folder: str, *paths: str) -> None:
    for path in paths:
        files.put(f"{folder}/{path}", b"1")


@pytest.mark.parametrize("table", LOGS)
@pytest.mark.parametrize(
    "pattern",
    [
        "t/data",
        "t/data/*.parquet",
        "t/data/p.parquet",
        "t/*/*.parquet",
        "**/*.parquet",
        "*/data/*.parquet",
        "t/data/dt=1",
        "t/data/dt=1/q.parquet",
        "t/data/dt=*/*.parquet",
    ],
)
def test_loose_files_of_a_table_are_refused(table: str, pattern: str, folder: str) -> None:
    write(folder, "t/data/p.parquet", "t/data/dt=1/q.parquet", f"t/{LOGS[table]}")
    with pytest.raises(InputError) as caught:
        list_inputs(f"{folder}/{pattern}")
    log = LOGS[table].partition("/")[0]
    assert f"/t: is a{'n' if table == 'Iceberg' else ''} {table} table" in str(caught.value)
    assert f"/t/{log} alone tells" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("Delta", "set source.format=delta and name "),
        ("Iceberg", "set source.format=iceberg and name its newest "),
        ("Hudi", "write today's rows to files of their own, and score those"),
    ],
)
def test_a_table_is_told_how_it_can_be_read(table: str, words: str, tmp_path: Path) -> None:
    write(str(tmp_path), "t/p.parquet", f"t/{LOGS[table]}")
    with pytest.raises(InputError, match=words):
        list_inputs(f"{tmp_path}/t/*.parquet")


def test_a_table_beside_the_files_that_are_read_is_none_of_them(folder: str) -> None:
    write(folder, "p.parquet", "table/x.orc", *(f"table/{log}" for log in LOGS.values()))
    (found,) = list_inputs(f"{folder}/**/*.parquet")[0]
    assert found.url == f"{folder}/p.parquet"


def test_an_output_among_the_input_is_refused_unless_one_of_its_runs_is_named(
    folder: str,
) -> None:
    write(folder, "in/p.x", "in/old/CURRENT", "in/old/runs/1/part.x", "in/old/runs/2/part.x")
    for pattern in ("in/**/*.x", "in/old/**/*.x", "in/old/*/*/*"):
        with pytest.raises(InputError, match=r"/in/old: is an output .* below .*/in/old/runs"):
            list_inputs(f"{folder}/{pattern}")
    for pattern in ("in/*.x", "in/old/runs/1", "in/old/runs/2/*.x"):
        assert len(list_inputs(f"{folder}/{pattern}")[0]) == 1


@pytest.mark.parametrize("path", ["metadata/notes.json", "metadata"])
def test_a_name_alone_makes_no_iceberg_table(path: str, folder: str) -> None:
    write(folder, "p.parquet", path)
    (found,) = list_inputs(f"{folder}/*.parquet")[0]
    assert found.url == f"{folder}/p.parquet"


def test_a_folder_above_that_may_not_be_looked_into_is_taken_for_none() -> None:
    """In a bucket one may be allowed to list the input alone; no local store of ours knows such rules."""

    class Closed:
        def exists(self, path: str) -> bool:
            raise PermissionError(13, "Access Denied", path)

    listing: Any = list_paths(*locate_pattern(__file__), recursive=False)
    refuse_tables(Closed(), listing, set())


def test_each_folder_is_looked_into_once_for_several_patterns(tmp_path: Path) -> None:
    write(str(tmp_path), "in/a.x", "in/b.x")
    cleared: Any = set()
    list_below_root(f"{tmp_path}/in/a.x", cleared=cleared)
    looked_into = set(cleared)
    assert ("LocalFileSystem", f"{tmp_path}/in") in looked_into
    write(str(tmp_path), "in/_delta_log/0.json")
    list_below_root(f"{tmp_path}/in/b.x", cleared=cleared)
    assert cleared == looked_into
    with pytest.raises(InputError, match="is a Delta table"):
        list_inputs(f"{tmp_path}/in/b.x")
