import json
from pathlib import Path

import pytest

from configs.errors import VerifyError
from storage import files, layout
from storage.layout import find_current_run, read_manifest
from storage.run_folder import RunFolder


@pytest.mark.parametrize(
    "output", ["/data/scores", "/data/scores/", "memory://scores", "s3://bucket/scores/"]
)
def test_places_of_a_run(output: str) -> None:
    run, root = RunFolder(output, "abc"), output.rstrip("/")
    assert run.manifest == f"{root}/runs/abc/_manifest.json"
    assert run.published == f"{root}/runs/abc"
    assert run.scored == f"{root}/runs/abc/scored"
    temporary = f"{root}/_tmp/abc"
    assert run.temporary == temporary
    assert (run.plan, run.attempts, run.done, run.progress, run.lock) == tuple(
        f"{temporary}/{name}"
        for name in ("plan.json", "attempts", "done", "progress", "launcher.lock")
    )


def test_done_records_sort_as_their_units_do() -> None:
    run = RunFolder("o", "abc")
    records = [run.done_record(n) for n in (0, 9, 10, 99_999, 1_000_000)]
    assert records == sorted(records)
    assert records[0] == "o/_tmp/abc/done/0000000.json"


def test_the_current_run_is_what_current_names(tmp_path: Path) -> None:
    assert find_current_run(str(tmp_path)) is None
    (tmp_path / "CURRENT").write_text("")
    assert find_current_run(str(tmp_path)) is None
    (tmp_path / "CURRENT").write_text("abc\n")
    assert find_current_run(str(tmp_path)) == "abc"


def test_the_manifest_of_the_current_or_a_named_run(tmp_path: Path) -> None:
    for run in ("one", "two"):
        files.create(RunFolder(str(tmp_path), run).manifest, b'{"run_id": "%s"}' % run.encode())
    (tmp_path / "CURRENT").write_text("two\n")
    folder, manifest = read_manifest(str(tmp_path))
    assert (folder.run_id, manifest) == ("two", {"run_id": "two"})
    assert read_manifest(str(tmp_path), "one")[1] == {"run_id": "one"}


@pytest.mark.parametrize("is_published", [False, True])
@pytest.mark.parametrize("has_held", [False, True])
def test_a_run_is_held_where_it_stands_whole_and_is_not_published(
    has_held: bool, is_published: bool, tmp_path: Path
) -> None:
    run = RunFolder(str(tmp_path), "abc")
    if has_held:
        files.create(run.held, b"{}")
    if is_published:
        files.create(run.manifest, b"{}")
    assert layout.is_held(run) is (has_held and not is_published)
    document = run.held if has_held else None
    assert layout.find_document(run) == (run.manifest if is_published else document)


def test_no_current_run_a_missing_and_a_broken_manifest_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="nothing is published there"):
        read_manifest(str(tmp_path))
    (tmp_path / "CURRENT").write_text("abc\n")
    with pytest.raises(VerifyError, match=r"CURRENT names run abc, but .*manifest.json is missing"):
        read_manifest(str(tmp_path))
    files.create(RunFolder(str(tmp_path), "abc").manifest, b'{"run_id":')
    with pytest.raises(VerifyError, match="not valid JSON"):
        read_manifest(str(tmp_path))
    files.replace(RunFolder(str(tmp_path), "abc").manifest, b'{"files":' + b"[" * 100_000)
    with pytest.raises(VerifyError, match=r"not valid JSON: .* too deep inside each other"):
        read_manifest(str(tmp_path))


HOSTILE = [
    "..",
    "../..",
    "/etc",
    "a/b",
    "a/../../b",
    "./a",
    "",
    ".hidden",
    "a\x00b",
    "a\\b",
    "zip::s3",
    "s3://bucket/a",
    "x" * 300,
]


@pytest.mark.parametrize("name", [n for n in HOSTILE if n])
def test_a_current_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_text(f"{name}\n")
    with pytest.raises(VerifyError, match="CURRENT does not hold the id of a run"):
        find_current_run(str(tmp_path))
    with pytest.raises(VerifyError, match="CURRENT does not hold the id of a run"):
        read_manifest(str(tmp_path))
    with pytest.raises(VerifyError, match="cannot be the id of a run"):
        read_manifest(str(tmp_path), name)


@pytest.mark.parametrize(
    "path",
    [
        *HOSTILE,
        "scored/../x",
        "scored/scored/x",
        "scored/.x",
        "_rejected/../x",
        "_rejected/_rejected/x",
        "rejected/../x",
        "_rejected//etc",
        "_rejected/",
        7,
        None,
    ],
)
@pytest.mark.parametrize("kind", ["files", "rejected_files"])
def test_a_manifest_that_lists_what_is_not_in_its_folder_is_refused(
    kind: str, path: object, tmp_path: Path
) -> None:
    content = json.dumps({"files": [], "rejected_files": [], kind: [{"path": path}]})
    files.create(RunFolder(str(tmp_path), "one").manifest, content.encode())
    with pytest.raises(VerifyError, match=r"not in the run's folder|is not a manifest"):
        read_manifest(str(tmp_path), "one")


@pytest.mark.parametrize(
    "content", [b"[]", b"7", b'{"files": 7}', b'{"files": [7]}', b'{"files": [{}]}']
)
def test_what_is_no_manifest_is_refused(content: bytes, tmp_path: Path) -> None:
    files.create(RunFolder(str(tmp_path), "one").manifest, content)
    with pytest.raises(VerifyError, match="is not a manifest"):
        read_manifest(str(tmp_path), "one")


@pytest.mark.parametrize(
    "link",
    [
        "runs",
        "runs/one",
        "runs/one/_rejected",
        "runs/one/_manifest.json",
        "runs/one/scored",
        "runs/one/scored/part-0.parquet",
        "runs/one/part-1.parquet",
        "_tmp",
    ],
)
def test_links_that_lead_out_of_the_output_are_refused(link: str, tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "scores", tmp_path / "elsewhere"
    listed = [{"path": name} for name in ("scored/part-0.parquet", "part-1.parquet")]
    content = json.dumps({"files": listed}).encode()
    files.create(f"{output}/runs/one/_manifest.json", content)
    files.create(f"{output}/runs/one/_rejected/part-0.parquet", b"")
    files.create(f"{output}/runs/one/scored/part-0.parquet", b"")
    files.create(f"{output}/runs/one/part-1.parquet", b"")
    files.create(f"{output}/_tmp/one/plan.json", b"")
    read_manifest(str(output), "one")
    (output / link).rename(elsewhere)
    (output / link).symlink_to(elsewhere)
    with pytest.raises(VerifyError, match="leads out of"):
        read_manifest(str(output), "one")


def test_the_output_may_be_a_link_and_links_inside_it_are_no_matter(tmp_path: Path) -> None:
    files.create(f"{tmp_path}/real/runs/one/_manifest.json", b"{}")
    (tmp_path / "real/runs/two").symlink_to("one")
    (tmp_path / "scores").symlink_to("real")
    assert read_manifest(str(tmp_path / "scores"), "one")[1] == {}
    assert read_manifest(str(tmp_path / "scores"), "two")[1] == {}


def test_a_manifest_that_is_removed_after_it_was_found_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "CURRENT").write_text("abc\n")
    monkeypatch.setattr(layout, "find_manifest", lambda run: run.manifest)
    with pytest.raises(VerifyError, match=r"CURRENT names run abc, but .*manifest.json is missing"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("paths", "is_of_an_earlier_version"),
    [([], False), (["scored/a.parquet"], False), (["a.parquet"], True)],
)
def test_scored_rows_have_a_folder_of_their_own_but_for_earlier_versions(
    paths: list[str], is_of_an_earlier_version: bool
) -> None:
    run = RunFolder("/there", "abc")
    expected = run.published if is_of_an_earlier_version else run.scored
    assert layout.find_scored(run, {"files": [{"path": path} for path in paths]}) == expected
    assert layout.find_scored(run, {}) == run.scored
