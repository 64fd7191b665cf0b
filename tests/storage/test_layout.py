from pathlib import Path

import pytest

from configs.errors import VerifyError
from storage import files
from storage.layout import RunFolder, current_run, read_manifest


@pytest.mark.parametrize("output", ["/data/scores", "/data/scores/", "memory://scores", "s3://bucket/scores/"])
def test_places_of_a_run(output: str) -> None:
    run, root = RunFolder(output, "abc"), output.rstrip("/")
    assert run.manifest == f"{root}/runs/abc/manifest.json"
    assert run.published == f"{root}/runs/abc"
    temporary = f"{root}/_tmp/abc"
    assert run.temporary == temporary
    assert (run.plan, run.attempts, run.done, run.progress, run.lock) == tuple(
        f"{temporary}/{name}" for name in ("plan.json", "attempts", "done", "progress", "launcher.lock")
    )


def test_done_records_sort_as_their_units_do() -> None:
    run = RunFolder("o", "abc")
    records = [run.done_record(n) for n in (0, 9, 10, 99_999, 1_000_000)]
    assert records == sorted(records)
    assert records[0] == "o/_tmp/abc/done/0000000.json"


def test_the_current_run_is_what_current_names(tmp_path: Path) -> None:
    assert current_run(str(tmp_path)) is None
    (tmp_path / "CURRENT").write_text("abc\n")
    assert current_run(str(tmp_path)) == "abc"


def test_the_manifest_of_the_current_or_a_named_run(tmp_path: Path) -> None:
    for run in ("one", "two"):
        files.create(RunFolder(str(tmp_path), run).manifest, b'{"run_id": "%s"}' % run.encode())
    (tmp_path / "CURRENT").write_text("two\n")
    folder, manifest = read_manifest(str(tmp_path))
    assert (folder.run_id, manifest) == ("two", {"run_id": "two"})
    assert read_manifest(str(tmp_path), "one")[1] == {"run_id": "one"}


def test_no_current_run_a_missing_and_a_broken_manifest_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="nothing is published there"):
        read_manifest(str(tmp_path))
    (tmp_path / "CURRENT").write_text("abc\n")
    with pytest.raises(VerifyError, match=r"CURRENT names run abc, but .*manifest.json is missing"):
        read_manifest(str(tmp_path))
    files.create(RunFolder(str(tmp_path), "abc").manifest, b'{"run_id":')
    with pytest.raises(VerifyError, match="not valid JSON"):
        read_manifest(str(tmp_path))
