"""Files of a run get their final names, also those that an earlier version has begun to name."""

from pathlib import Path
from typing import Any

import pytest

from configs.errors import PublishError
from storage import files
from storage.layout import find_current_run, read_manifest
from tests.support.publishing import tree, two_units
from transforms.publish import publish_run

HEAD = {"format": 1, "planned_at": "2100-01-01T00:00:00.000000+00:00"}


def test_a_link_among_the_files_of_an_earlier_versions_publication_is_not_taken_up(
    tmp_path: Path,
) -> None:
    run, parts = two_units(str(tmp_path / "scores"))
    stored = Path(run.attempts, parts[0].scored[0].path)
    elsewhere = stored.rename(tmp_path / "elsewhere")
    files.make_folder(run.published)
    name = f"part-00000-000-{parts[0].scored[0].sha256[:12]}.parquet"
    Path(run.published, name).symlink_to(elsewhere)
    with pytest.raises(PublishError, match="leads out of"):
        publish_run(run, parts, HEAD, 1, 0.0)
    assert find_current_run(run.output) is None


def test_what_an_earlier_version_has_named_stays_until_the_manifest_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may still be at work, and list its names in the manifest."""
    run, parts = two_units(str(tmp_path / "scores"))
    (first, *_) = parts[0].scored
    name = f"part-00000-000-{first.sha256[:12]}.parquet"
    files.make_folder(run.published)
    files.move(f"{run.attempts}/{first.path}", f"{run.published}/{name}")
    create, seen = files.create, list[bool]()

    def look(url: str, *arguments: Any, **named: Any) -> bool:
        seen.append(files.exists(f"{run.published}/{name}"))
        return create(url, *arguments, **named)

    monkeypatch.setattr(files, "create", look)
    publish_run(run, parts, HEAD, 1, 0.0)
    assert seen == [True]
    _, manifest = read_manifest(run.output)
    listed = {entry["path"] for entry in manifest["files"] + manifest["rejected_files"]}
    assert set(tree(run.published)) == {*listed, "_manifest.json"}
