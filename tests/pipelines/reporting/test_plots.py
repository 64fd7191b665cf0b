"""What the pictures of a report show, asked of the axes on which they are drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
import io
from typing import Any

import pytest

from pipelines.reporting.document import Distribution, PastRun
from pipelines.reporting.history import list_history
from tests.pipelines.reporting.told import make_manifest, tell

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from pipelines.reporting import plots


class Drawn:
    """The last picture's axes, words, and size in inches."""

    axes: Any = None
    words = ""
    size: tuple[float, float] = (0, 0)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    kept = Drawn()

    # Written as SVG in test_run_page.py, which takes most of the time.
    @contextmanager
    def keep(name: str, words: str, width: float, height: float) -> Iterator[Any]:
        axes = Figure(figsize=(width, height)).subplots()
        kept.axes, kept.words, kept.size = axes, words, (width, height)
        yield axes, io.StringIO("svg")

    monkeypatch.setattr(plots, "open_figure", keep)
    return kept


def make_run(day: int, rows: int = 100, **fields: Any) -> PastRun:
    manifest = make_manifest(published_at=f"2026-04-{day:02d}T01:00:00+00:00")
    (run,) = list_history([tell("o", manifest)], "b2")
    return replace(run, rows_in=rows, **fields)


def test_a_distribution_is_a_line_over_the_area_of_the_reference(drawn: Drawn) -> None:
    shares = Distribution(names=("a", "b", "c"), then=(0.2, 0.3, 0.5), now=(0.6, 0.4, 0.0))
    plots.draw_distribution("x", shares)
    then, now = drawn.axes.patches
    assert (then.get_fill(), now.get_fill()) == (True, False)
    assert list(then.get_data().values) == [0.2, 0.3, 0.5]
    assert list(now.get_data().edges) == [0, 1, 2, 3]
    assert drawn.axes.get_ylim()[0] == 0
    assert not drawn.axes.axison
    assert drawn.words == "Most rows, 60%, are in: a; in the reference these were 20%."


@pytest.mark.parametrize(
    ("then", "now", "patches", "words"),
    [
        ((), (0.1, 0.9), 1, "Most rows, 90%, are in: b."),
        ((0.5, 0.5), (), 1, "No rows were counted."),
    ],
)
def test_what_was_not_counted_is_not_drawn(
    then: tuple[float, ...], now: tuple[float, ...], patches: int, words: str, drawn: Drawn
) -> None:
    plots.draw_distribution("x", Distribution(names=("a", "b"), then=then, now=now))
    assert len(drawn.axes.patches) == patches
    assert drawn.words == words


@pytest.mark.parametrize("count", [1, 3])
def test_stages_stand_in_their_order_from_the_top(count: int, drawn: Drawn) -> None:
    stages = dict(zip(("read", "decode", "predict"), (1.0, 0.25, 5.0), strict=True))
    some = dict(list(stages.items())[:count])
    plots.draw_stages(some)
    assert [bar.get_width() for bar in drawn.axes.patches] == list(some.values())
    bottom, top = drawn.axes.get_ylim()
    assert bottom > top
    assert drawn.words.startswith("read 1 s")
    # Each bar is as high as in any other picture.
    assert drawn.size == (4.8, pytest.approx(0.55 + 0.3 * count))


def test_rows_are_bars_with_signs_over_those_that_were_held_or_warned_of(drawn: Drawn) -> None:
    runs = [
        make_run(4, 200, state="released", verdict="held"),
        make_run(3, 100, state="published", verdict="warned"),
        make_run(2, 50, state="held", verdict="held"),
        make_run(1, 80, state="published", verdict="clean"),
    ]
    plots.draw_rows(runs)
    assert [bar.get_height() for bar in drawn.axes.patches] == [80, 50, 100, 200]
    assert drawn.axes.get_ylim() == (0, 250)
    signs = {sign.get_label(): sign.get_offsets().tolist() for sign in drawn.axes.collections}
    assert signs == {"held": [[1, 66]], "warned": [[2, 116]], "released": [[3, 216]]}
    assert drawn.axes.get_legend() is not None
    assert drawn.words == "Rows of 4 runs, from 50 to 200"


def test_runs_of_no_rows_have_axes_and_calm_ones_no_signs(drawn: Drawn) -> None:
    plots.draw_rows([make_run(1, 0, state="published", verdict="clean")])
    assert drawn.axes.get_ylim() == (0, 1.25)
    assert drawn.axes.get_legend() is None
    assert len(drawn.axes.collections) == 0


@pytest.mark.parametrize(
    ("count", "days"),
    [
        (1, ["04-01"]),
        (6, ["04-06", "04-05", "04-04", "04-03", "04-02", "04-01"]),
        (7, ["04-07", "04-05", "04-03", "04-01"]),
        (13, ["04-13", "04-10", "04-07", "04-04", "04-01"]),
    ],
)
def test_some_days_are_named_from_the_last_one_back(
    count: int, days: list[str], drawn: Drawn
) -> None:
    plots.draw_rows([make_run(day) for day in range(count, 0, -1)])
    labels = [label.get_text() for label in drawn.axes.get_xticklabels()]
    assert labels == days
    assert drawn.axes.get_xticks()[0] == count - 1
    assert drawn.axes.get_xlim() == (-0.6, count - 0.4)


def test_drift_is_a_line_with_gaps_where_nothing_was_measured(drawn: Drawn) -> None:
    runs = [
        make_run(3, psi_input=0.5, psi_score=0.1),
        make_run(2, psi_input=None, psi_score=0.2),
        make_run(1, psi_input=0.25, psi_score=None),
    ]
    assert plots.draw_drift(runs)
    inputs, scores = drawn.axes.lines
    assert [str(value) for value in inputs.get_ydata()] == ["0.25", "nan", "0.5"]
    assert [str(value) for value in scores.get_ydata()] == ["nan", "0.2", "0.1"]
    assert drawn.axes.get_ylim() == (0, pytest.approx(0.7))


@pytest.mark.parametrize(("psi", "top"), [(0.0, 0.07), (0.05, 0.07), (0.1, 0.14)])
def test_a_small_drift_is_not_drawn_large(psi: float, top: float, drawn: Drawn) -> None:
    plots.draw_drift([make_run(1, psi_input=psi, psi_score=None)])
    assert drawn.axes.get_ylim() == (0, pytest.approx(top))


def test_where_no_run_was_measured_there_is_no_picture() -> None:
    assert plots.draw_drift([make_run(1, psi_input=None, psi_score=None)]) == ""
