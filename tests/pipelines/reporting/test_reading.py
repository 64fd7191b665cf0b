"""What a report reads of a run: nothing that a manifest names outside of the run."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import VerifyError
from pipelines.reporting.reading import read_profile
from tests.pipelines.reporting.told import make_manifest, tell


@pytest.mark.parametrize(
    "path", ["../profile.parquet", "_summaries/../profile.parquet", "_summaries/.."]
)
def test_a_profile_outside_the_run_is_missing(path: str, tmp_path: Path) -> None:
    """Whatever stands there: it is not read."""
    manifest = make_manifest(summaries=[{"name": "profile", "path": path}])
    told = tell(str(tmp_path), manifest)
    inside = Path(told.run.published) / "_summaries"
    inside.mkdir(parents=True)
    for folder in (inside.parent, inside.parent.parent):
        (folder / "profile.parquet").write_bytes(b"no profile")
    with pytest.raises(VerifyError, match=r"is missing; move .* away, and score the input again"):
        read_profile(told)


def test_a_profile_in_the_run_is_read(tmp_path: Path) -> None:
    manifest = make_manifest(summaries=[{"name": "profile", "path": "_summaries/profile.parquet"}])
    told = tell(str(tmp_path), manifest)
    inside = Path(told.run.published) / "_summaries"
    inside.mkdir(parents=True)
    path = inside / "profile.parquet"
    path.write_bytes(b"no profile")
    with pytest.raises(VerifyError, match=r"profile\.parquet: is no profile: ArrowInvalid"):
        read_profile(told)
    # A text that is not UTF-8, which Arrow does not look at.
    broken = pa.array([b"\xff"]).view(pa.string())
    pq.write_table(pa.table({"kind": broken}), path)
    with pytest.raises(VerifyError, match=r"profile\.parquet: is no profile: UnicodeDecodeError"):
        read_profile(told)
