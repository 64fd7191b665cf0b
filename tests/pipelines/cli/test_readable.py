"""Every program that is pointed at an output says in one line that it cannot be read."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipelines import evaluate, path, prune, release, report, verify
from pipelines.cli.command_line import run_program

Main = Callable[[Sequence[str]], int]
_LABELS = ("--key", "id", "--label", "y", "--labels", "labels.csv", "--output")


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (path.main, ()),
        (report.main, ()),
        (verify.main, ()),
        (prune.main, ("--older_than_days", "30")),
        (evaluate.main, _LABELS),
    ],
    ids=["path", "report", "verify", "prune", "evaluate"],
)
@pytest.mark.parametrize(
    ("output", "reason"),
    [("x" * 300, "File name too long"), ("nope://x", "Protocol not known: nope")],
)
def test_an_output_that_cannot_be_read_is_one_line_and_status_3(
    main: Main,
    words: Sequence[str],
    output: str,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_program(main, [*words, output]) == 3
    told = f"error: {output}: cannot be read: {reason}; check the address and credentials\n"
    assert capsys.readouterr().err == told


def test_so_is_one_whose_run_would_be_released(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(release.main, ["nope://x", "r1", "--reason", "r"]) == 3
    assert "error: nope://x: cannot be read: Protocol not known" in capsys.readouterr().err


def test_one_manifest_that_is_none_keeps_all_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = '{"published_at": "2026-01-01T00:00:00+00:00"}'
    for run, content in (("r1", whole), ("r2", whole[:20]), ("r3", "{}")):
        folder = tmp_path / "runs" / run
        folder.mkdir(parents=True)
        (folder / "_manifest.json").write_text(content)
    (tmp_path / "CURRENT").write_text("r1")
    assert run_program(prune.main, [str(tmp_path), "--older_than_days", "30"]) == 3
    told = capsys.readouterr()
    assert "_manifest.json: is not a manifest, so nothing is removed; move" in told.err
    assert not told.out
