"""How far an earlier launch of the same work came, told by what stands."""

from pathlib import Path

import pytest

from pipelines.scoring.status import is_left_to_clean_up, is_published
from storage.run_folder import RunFolder


@pytest.mark.parametrize("has_manifest", [False, True])
@pytest.mark.parametrize("has_temporary", [False, True])
def test_a_run_is_left_to_clean_up_once_it_is_published_and_not_before(
    has_manifest: bool, has_temporary: bool, tmp_path: Path
) -> None:
    run = RunFolder(str(tmp_path), "r1")
    if has_manifest:
        Path(run.published).mkdir(parents=True)
        Path(run.manifest).touch()
    if has_temporary:
        Path(run.temporary).mkdir(parents=True)
    assert is_published(run) is has_manifest
    assert is_left_to_clean_up(run) is (has_manifest and has_temporary)
