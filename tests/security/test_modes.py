"""What programs write is for owner and group; only the metrics file is for everybody, because node_exporter is another user."""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import stat

import pytest

from tests.builders import tiny_package


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_scores_and_packages_are_private_and_metrics_are_not(run_score: Callable[..., int], shards: Path, tmp_path: Path) -> None:
    package = tiny_package(tmp_path / "model")
    metrics = tmp_path / "metrics.prom"
    assert run_score("--model", package, "--input", str(shards), "--metrics_file", str(metrics)) == 0
    written = [path for folder in ("scores", "model") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert len(written) >= 7
    modes = {str(path.relative_to(tmp_path)): oct(stat.S_IMODE(path.stat().st_mode)) for path in written}
    assert set(modes.values()) == {"0o640"}, modes
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644
