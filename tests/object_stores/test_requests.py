"""How often a run asks a store for each shard: what a store takes its time for, and its owner money."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
import io
from pathlib import Path
import re
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from storage import files
from tests.object_stores.proxy import Proxy
from tests.object_stores.servers import Server
from tests.object_stores.stores import at
from tests.support.builders import tiny_package
from tests.support.jobs import small_table

SHARDS = 40
# To see whether it is done, to write its file and its record, to read both again, and to publish where nothing stands.
MOST_OF_A_UNIT = {"s3": 11, "gs": 16}
# Its footer twice, its rows, and its version before, when it is opened, and after.
MOST_OF_A_LARGE_SHARD = 6
MOST_OF_A_RUN = 60
LARGE_ROWS = 200_000
JOB = """
name: requests
source: {{paths: '{paths}', key: id}}
model: {{package: '{package}'}}
postprocess: {{keep: [probability]}}
sink: {{path: none}}
"""


def parquet(rows: int) -> bytes:
    sink = io.BytesIO()
    pq.write_table(small_table(rows), sink, compression="none", use_dictionary=False)
    return sink.getvalue()


@contextmanager
def through(server: Server, proxy: Proxy) -> Iterator[None]:
    with at(Server(server.scheme, proxy.address)):
        yield


def count(proxy: Proxy, folder: str, tmp_path: Path, *flags: str) -> Counter[str]:
    """What a run asks for, by method and by whom it concerns."""
    package = tmp_path / "model"
    if not package.exists():
        tiny_package(package)
    job = tmp_path / "job.yaml"
    job.write_text(JOB.format(paths=folder, package=package))
    proxy.requests.clear()
    output = f"{folder}-scores"
    assert (
        run_program(score.main, ["--config", str(job), "--output", output, "--quiet", *flags]) == 0
    )
    return Counter(map(name_request, proxy.requests))


def name_request(request: str) -> str:
    method, _, place = unquote(request).partition(" ")
    shard = re.search(r"/in-\w+/part-\d+\.parquet", place)
    if shard:
        return f"{method} shard"
    for part in ("done", "attempts", "progress", "scored", "manifest", "CURRENT", "plan"):
        if re.search(rf"\b_?{part}\b", place):
            return f"{method} {part}"
    return f"{method} other"


def count_units(counted: Counter[str]) -> int:
    """Each has a record, whichever way a store is given it."""
    return counted["PUT done"] + counted["POST done"]


def test_a_small_shard_costs_few_requests(
    server: Server, bucket: str, proxy: Proxy, tmp_path: Path
) -> None:
    """It is listed with others, its footer is read when the run is planned, and all of it once."""
    folder = f"{bucket}/in-small"
    content = parquet(20)
    for number in range(SHARDS):
        files.put(f"{folder}/part-{number:04d}.parquet", content)
    with through(server, proxy):
        counted = count(proxy, folder, tmp_path)
    asked = {name: times for name, times in counted.items() if name.endswith(" shard")}
    assert asked == {"GET shard": 2 * SHARDS}
    # Whatever else is asked for is asked for a unit of many shards, or once.
    units = count_units(counted)
    others = counted.total() - 2 * SHARDS
    assert others / units <= MOST_OF_A_UNIT[server.scheme] + MOST_OF_A_RUN / units


def test_a_large_shard_costs_what_its_units_do(
    server: Server, bucket: str, proxy: Proxy, tmp_path: Path
) -> None:
    if server.scheme == "gs":
        pytest.skip("gcsfs warns of uploads as large as this, which this test makes")
    counted = {}
    content = parquet(LARGE_ROWS)
    assert len(content) > 1 << 20
    whole = f"sink.rows_per_file={LARGE_ROWS}"
    for shards in (1, 3):
        folder = f"{bucket}/in-{shards}"
        for number in range(shards):
            files.put(f"{folder}/part-{number:04d}.parquet", content)
        with through(server, proxy):
            counted[shards] = count(proxy, folder, tmp_path, "--set", whole)
    units = count_units(counted[3]) - count_units(counted[1])
    more = counted[3].total() - counted[1].total()
    assert more / units <= MOST_OF_A_UNIT[server.scheme] + MOST_OF_A_LARGE_SHARD
