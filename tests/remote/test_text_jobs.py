"""A model that takes texts, and makes tokens of them in its server: a package, and a job whose every row has its score."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines import package
from pipelines.cli.command_line import run_program
from tests.remote.jobs import address
from tests.remote.servers import RealServer
from tests.support.jobs import run_job, write_parquet
from tests.support.without_beam import run_without_beam

pytestmark = pytest.mark.program

TEXTS = ["", "one", "two words", "drei Wörter €😀 hier", "a\0b c"] * 20
UNREADABLE = 42


@pytest.mark.parametrize("protocol", ["oip-grpc", "oip-http"])
def test_every_text_is_scored_and_one_that_the_server_refuses_is_rejected_alone(
    protocol: str, mlserver: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_without_beam(monkeypatch)
    sample = write_parquet(tmp_path / "sample.parquet", _table(TEXTS))
    words = ["--remote", address(mlserver, protocol), "--protocol", protocol]
    named = ["--remote_name", "words", "--sample", str(sample), "--key", "id"]
    where = ["--task", "regression", "--output", str(tmp_path / "model")]
    assert run_program(package.main, [*words, *named, *where]) == 0
    texts = [*TEXTS]
    texts[UNREADABLE] = "unreadable"
    shard = write_parquet(tmp_path / "shards" / "a.parquet", _table(texts))
    settings = {"source.paths": str(shard), "errors.max_rejected_rows": 1, "model.batch_rows": 16}
    outcome = run_job(tmp_path / "model.job.yaml", output=tmp_path / "scores", settings=settings)
    assert [record["key"] for record in outcome.rejected()] == [UNREADABLE]
    rows = outcome.rows()
    scored = dict(zip(rows["id"].to_pylist(), rows["words"].to_pylist(), strict=True))
    expected = {row: len(text.split()) for row, text in enumerate(texts) if row != UNREADABLE}
    assert scored == expected


def _table(texts: list[str]) -> pa.Table:
    return pa.table({"id": range(len(texts)), "said": texts})
