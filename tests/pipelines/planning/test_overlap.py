"""Inputs and outputs in each other, by their names alone: nothing of it is there, and no store is asked."""

from pathlib import Path

import pytest

from configs.errors import JobError
from pipelines.planning.overlap import refuse_overlap


@pytest.fixture(autouse=True)
def _not_in_a_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else the library of gs:// looks for a cloud's credentials for many seconds.
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ("/d/in", "/d/in"),
        ("/d/in", "/d/in/_scores"),
        ("/d/in/*", "/d/in/scores"),
        ("/d/in/*.parquet", "/d/in/scores.parquet"),
        ("/d/**/*.parquet", "/d/x/y/scores"),
        ("/d/in/dt=*/*", "/d/in/dt=1/scores"),
        ("/d/o/in", "/d/o"),
        ("/d/o/*.csv", "/d/o"),
        ("/d/in[1]", "/d/in[1]/scores"),
        ("/d/in[1]/*", "/d/in1/scores"),
        ("/", "/scores"),
        ("/*/x", "/scores"),
        ("s3://b/in/", "s3://b/in/scores"),
        ("s3://b", "s3://b/scores"),
        ("gs://b/**", "gs://b/scores"),
        ("gs://b/o/in", "gs://b/o/"),
    ],
)
def test_in_each_other_is_refused(path: str, output: str) -> None:
    with pytest.raises(JobError, match="choose an output folder beside the input"):
        refuse_overlap(["/elsewhere", path], output)


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ("/d/in", "/d/inside"),
        ("/d/in", "/d/scores"),
        ("/d/in/*.parquet", "/d/in/scores"),
        ("/d/in/*/x.csv", "/d/scores"),
        ("/d/in/dt=*/*", "/d/in/scores"),
        ("s3://b/in", "s3://c/in"),
        ("s3://b/in", "gs://b/in"),
        ("s3://b/in", "/b/in"),
    ],
)
def test_beside_each_other_is_fine(path: str, output: str) -> None:
    refuse_overlap([path], output)


@pytest.mark.parametrize(
    ("path", "output"), [("link", "in/x"), ("in", "link/x"), ("link/*", "in/x")]
)
def test_links_are_followed(path: str, output: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    with pytest.raises(JobError, match="choose an output folder beside the input"):
        refuse_overlap([str(tmp_path / path)], str(tmp_path / output))
