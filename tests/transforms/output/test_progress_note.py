"""Notes of how far a unit is, also while one batch of it is scored."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from model_zoo.scoring.listener import find_listener
from model_zoo.scoring.scored import Scored
from pipelines.scoring.progress import RowsDone
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, raw_batch
from transforms.batches import Arrays, FeatureBatch
from transforms.output import progress_note
from transforms.predict import ScorerHandler


def test_rows_are_told_while_a_batch_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch begins with the unit's fifth row; after each mini-batch the launcher looks."""
    run = RunFolder(str(tmp_path), "r1")
    Path(run.temporary).mkdir(parents=True)
    clock = SimpleNamespace(now=100.0)
    patched = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    monkeypatch.setattr(progress_note, "time", patched)
    unit = make_unit(0, 10, first_row=500)
    rows_done = RowsDone(run, (unit,), since=100.0)
    seen = []

    def score(inputs: Arrays) -> Scored:
        for _ in range(3):
            clock.now += 1.0
            find_listener()(2)
            seen.append(rows_done.count())
        return Scored({"p": np.ones(6, np.float32)}, {}, "cpu", 0)

    batch = raw_batch({"id": list(range(6))}, first_row=504, unit=unit)
    features = FeatureBatch(batch, {"x": np.ones((6, 1), np.float32)})
    handler = ScorerHandler(lambda: score, "reject", run=run)
    handler.run_inference(features, score)  # type: ignore[arg-type]
    assert seen == [6, 8, 10]
    # Whoever calls the model outside of a run tells nobody.
    find_listener()(1)
    assert rows_done.count() == 10


def test_a_note_that_cannot_be_left_stops_no_scoring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_note, "_SECONDS", 0.0)
    run = RunFolder(str(tmp_path), "gone")

    def score(inputs: Arrays) -> Scored:
        find_listener()(1)
        return Scored({"p": np.ones(1, np.float32)}, {}, "cpu", 0)

    features = FeatureBatch(raw_batch({"id": [1]}), {"x": np.ones((1, 1), np.float32)})
    handler = ScorerHandler(lambda: score, "reject", run=run)
    assert len(handler.run_inference(features, score)) == 1  # type: ignore[arg-type]
    assert not Path(run.temporary).exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"120 7.5", progress_note.Note(120, 7.5)),
        # As a version left it that told no time.
        (b"120", progress_note.Note(120, 0.0)),
        (b"120 seven", None),
        (b"\0\0\0", None),
        (None, None),
    ],
)
def test_a_note_is_whole_or_none(
    content: bytes | None, expected: progress_note.Note | None
) -> None:
    assert progress_note.parse_note(content) == expected
