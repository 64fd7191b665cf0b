"""What programs write is for owner and group; only the metrics file is for everybody, because node_exporter is another user."""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import stat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.builders import FEATURES, tiny_package


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_scores_and_packages_are_private_and_metrics_are_not(
    format: str, run_score: Callable[..., int], shards: Path, tmp_path: Path
) -> None:
    rows = pq.read_table(shards / "a.parquet")
    spoilt = pa.array([None, *rows["a"].to_pylist()[1:]], pa.float32())
    pq.write_table(rows.set_column(rows.column_names.index("a"), "a", spoilt), shards / "a.parquet")
    package = tiny_package(
        tmp_path / "model",
        columns=[{"name": n, "type": "float", "missing": "reject"} for n in FEATURES],
    )
    metrics = tmp_path / "metrics.prom"
    flags = [
        "--metrics_file",
        str(metrics),
        "--set",
        f"sink.format={format}",
        "--set",
        "errors.max_rejected_rows=1",
    ]
    assert run_score("--model", package, "--input", str(shards), *flags) == 0
    written = [
        path
        for folder in ("scores", "model")
        for path in (tmp_path / folder).rglob("*")
        if path.is_file()
    ]
    modes = {
        str(path.relative_to(tmp_path)): oct(stat.S_IMODE(path.stat().st_mode)) for path in written
    }
    parts = [Path(name) for name in modes if "/part-" in name]
    assert sorted((path.parent.name, path.suffix) for path in parts) == [
        ("_rejected", ".parquet"),
        ("scored", f".{format}"),
    ]
    assert len(modes) >= 8
    assert set(modes.values()) == {"0o640"}, modes
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644
