"""Jobs through real servers: the published rows, rows that the server refuses, and a server that is killed in the middle."""

from pathlib import Path

import numpy as np
import pytest

from tests.remote.jobs import (
    NAMES,
    address,
    random_features,
    reference,
    write_remote_job,
    write_rows,
)
from tests.support.jobs import run_job, small_table, write_parquet
from tests.support.without_beam import run_without_beam

pytestmark = pytest.mark.program

KINDS = (
    "mlserver oip-grpc",
    "mlserver oip-http",
    "kserve oip-grpc",
    "kserve oip-http",
    "tensorflow tensorflow-grpc",
    "tensorflow tensorflow-http",
    "triton oip-grpc",
    "triton oip-http",
)
ROWS = 1_000


@pytest.fixture(autouse=True)
def _without_beam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("beam") is None:
        run_without_beam(monkeypatch)


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_has_the_servers_score(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, fitted: Path
) -> None:
    name, protocol = kind.split()
    server = request.getfixturevalue(name)
    write_rows(tmp_path, ROWS)
    job = write_remote_job(tmp_path, server, protocol, **_version(name))
    outcome = run_job(job)
    rows = outcome.rows()
    assert rows["id"].to_pylist() == list(range(ROWS))
    expected = reference(random_features(ROWS), fitted)
    np.testing.assert_allclose(rows["probability"], expected, rtol=1e-6)
    served_by = outcome.manifest["served_by"]
    assert served_by["url"] == address(server, protocol)


def _version(name: str) -> dict[str, str]:
    # One of two; KServe's server has no versions.
    return {} if name == "kserve" else {"version": "3"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_the_server_refuses_is_rejected_alone(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name, protocol = kind.split()
    features = random_features(100)
    # The server refuses the first, and its model fails on the second.
    features[21, 1] = 1e7
    features[77, 3] = 1e10
    columns = {column: features[:, at] for at, column in enumerate(NAMES)}
    table = small_table(100).select(["id"])
    for column, values in columns.items():
        table = table.append_column(column, [values])
    write_parquet(tmp_path / "shards" / "a.parquet", table)
    job = write_remote_job(tmp_path, request.getfixturevalue(name), protocol, **_version(name))
    outcome = run_job(job, settings={"errors.max_rejected_rows": 2})
    assert [record["key"] for record in outcome.rejected()] == [21, 77]
    assert outcome.scored().num_rows == 98
