"""A run that is not whole any more, and one that another program removes while it is looked at."""

import json
from pathlib import Path
from typing import Any

import pytest

from configs.errors import HeldError, PublishError, VerifyError
from pipelines.cli.run_log import RunLog
from pipelines.scoring.already_published import _refuse_damaged, tell_held
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


@pytest.mark.parametrize("error", [HeldError("held back"), PublishError("lost"), ValueError()])
def test_the_findings_of_a_run_are_told_where_it_is_held_back_and_of_no_other_end(
    error: Exception, tmp_path: Path
) -> None:
    run, log = RunFolder(str(tmp_path), "0123"), RunLog(quiet=True)
    Path(run.held).parent.mkdir(parents=True)
    monitor = {"findings": [], "verdict": "held", "reference": {"says": "run 1", "kind": "run"}}
    Path(run.held).write_text(json.dumps({"files": [], "monitor": monitor}))
    tell_held(run, error, log)
    is_told = isinstance(error, HeldError)
    assert log.facts.run == (run if is_told else None)
    assert bool(log.facts.findings) is is_told
