"""What is said of a job before it is planned in any way: the old names of what it uses."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.cli.run_log import RunLog
from pipelines.scoring.plan_job import _log_old_names


@pytest.mark.parametrize(
    ("only_rejected", "certificate", "told"),
    [
        (None, None, []),
        ("current", None, ["--only_rejected is called --reuse_from now"]),
        (None, "tuned.json", ["tuning_report"]),
        ("current", "tuned.json", ["--only_rejected", "tuning_report"]),
    ],
)
def test_old_names_are_told_where_they_are_used(
    only_rejected: str | None,
    certificate: str | None,
    told: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments: Any = SimpleNamespace(only_rejected=only_rejected)
    job: Any = SimpleNamespace(model=SimpleNamespace(certificate=certificate))
    _log_old_names(arguments, job, RunLog())
    said = capsys.readouterr()
    lines = (said.out + said.err).splitlines()
    assert len(lines) == len(told)
    for line, words in zip(lines, told, strict=True):
        assert words in line
