"""docs/lakes.md: its commands, as they are written, on a lake that pyarrow wrote of the sample's rows."""

from pathlib import Path
import re
import shlex
import shutil

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from tests.support.programs import Programs
from tests.support.repository import REPOSITORY

PAGE = REPOSITORY / "docs/lakes.md"
_COMMAND = re.compile(r"^    python -m (pipelines\.\w+)([^\n]*)$", re.MULTILINE)
_QUERY = re.compile(r'^    duckdb -c "(.+)"', re.MULTILINE)


def write_lake(folder: Path) -> None:
    """Write the sample's rows in folders of three days and two regions."""
    rows = ds.dataset(REPOSITORY / "samples/breast_cancer/shards").to_table()
    days = [f"2026-01-0{1 + number % 3}" for number in range(len(rows))]
    regions = ["north" if number % 2 else "south" for number in range(len(rows))]
    rows = rows.append_column("dt", pa.array(days)).append_column("region", pa.array(regions))
    partitioning = ds.partitioning(rows.select(["dt", "region"]).schema, flavor="hive")
    ds.write_dataset(rows, folder, format="parquet", partitioning=partitioning)


def write_delta(folder: Path) -> None:
    """Write the sample's rows in two versions of a table, of which the newer one has fewer."""
    import deltalake

    rows = ds.dataset(REPOSITORY / "samples/breast_cancer/shards").to_table()
    deltalake.write_deltalake(str(folder), rows)
    deltalake.DeltaTable(str(folder)).delete("id < 200")


@pytest.mark.program
@pytest.mark.slow
def test_the_page_works_as_it_is_written(programs: Programs, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "samples", tmp_path / "samples")
    write_lake(tmp_path / "lake")
    write_delta(tmp_path / "patients")
    commands = _COMMAND.findall(PAGE.read_text())
    assert commands
    for program, rest in commands:
        run = programs.run(program, *shlex.split(rest), cwd=tmp_path)
        assert run.returncode == 0, (program, rest, run.stderr)
    for query in _QUERY.findall(PAGE.read_text()):
        assert duckdb.sql(query.replace("'scores/", f"'{tmp_path}/scores/")).fetchall()
