"""Where no tuning report can be written, tuning says so before it measures."""

from pathlib import Path

import pytest

from configs.errors import JobError
from pipelines.tuning.report import refuse_unwritable


def test_a_place_where_nothing_can_be_written_is_refused() -> None:
    # Also of a user who may write everywhere else.
    with pytest.raises(JobError) as raised:
        refuse_unwritable("/proc/nowhere/r.json")
    message = str(raised.value)
    assert message.startswith("model.tuning_report /proc/nowhere/r.json: cannot be written: ")
    assert message.endswith("; mend its place, or name another file")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="is a folder; name a file"):
        refuse_unwritable(str(tmp_path))
    assert list(tmp_path.parent.glob(f"{tmp_path.name}*")) == [tmp_path]


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    old = tmp_path / "r.json"
    old.write_text("the old one")
    for name in ("r.json", "new.json"):
        refuse_unwritable(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_text() == "the old one"
