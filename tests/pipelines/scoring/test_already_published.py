"""A run that is not whole any more, and one that another program removes while it is looked at."""

from pathlib import Path
from typing import Any

import pytest

from configs.errors import PublishError, VerifyError
from pipelines.scoring.already_published import _refuse_damaged
from storage.run_folder import RunFolder

PART: dict[str, Any] = {"path": "scored/part-00000-0123456789ab.parquet", "bytes": 3}


def test_a_run_that_was_just_removed_is_scored_again_and_is_not_damaged(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "0123")
    with pytest.raises(PublishError, match="was removed by another program; run the same command"):
        _refuse_damaged(run, {"files": [PART]})
    manifest = Path(run.manifest)
    manifest.parent.mkdir(parents=True)
    manifest.touch()
    with pytest.raises(VerifyError, match=r"scored/part-00000-0123456789ab[.]parquet is missing"):
        _refuse_damaged(run, {"files": [PART]})
    part = Path(run.published) / PART["path"]
    part.parent.mkdir()
    part.write_bytes(b"abc")
    _refuse_damaged(run, {"files": [PART]})
