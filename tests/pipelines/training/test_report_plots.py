"""What stands in a picture of the report, looked at where matplotlib keeps it before it is SVG."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from model_zoo.training.epoch import Epoch
from pipelines.training import report_plots
from pipelines.training.report_curves import Calibration, Curve, Density, Histogram

pytest.importorskip("matplotlib")

EPOCHS = [
    Epoch(number, 1 / number, 2 / number, number == 3, 0.1 * number, 1.0) for number in (1, 2, 3, 4)
]
CURVE = Curve("a", np.array([0.0, 0.25, 1.0]), np.array([0.0, 0.75, 1.0]), 0.75)
DIAGONAL = [[0, 0], [1, 1]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Axes of what is drawn, which is not written: that takes long, and tests of the page do it."""
    from matplotlib.figure import Figure

    kept: list[Any] = []

    def keep(figure: Any, sink: Any, **_: Any) -> None:
        kept.extend(figure.axes)
        sink.write(b"<svg></svg>")

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept


def points(line: Any) -> list[list[float]]:
    return np.column_stack(line.get_data()).tolist()


def test_losses_stand_over_their_epochs_and_the_kept_one_is_marked(drawn: list[Any]) -> None:
    report_plots.draw_learning(EPOCHS, best=3)
    training, validation, kept = drawn[0].lines
    assert points(training) == [[1, 1], [2, 1 / 2], [3, 1 / 3], [4, 1 / 4]]
    assert points(validation) == [[1, 2], [2, 1], [3, 2 / 3], [4, 1 / 2]]
    assert kept.get_xdata() == [3, 3]
    labels = [text.get_text() for text in drawn[0].get_legend().get_texts()]
    assert labels == ["training", "validation", "kept: epoch 3"]


@pytest.mark.parametrize(("epochs", "is_seen"), [(1, True), (2, False)])
def test_one_epoch_is_a_point(drawn: list[Any], epochs: int, is_seen: bool) -> None:
    report_plots.draw_learning(EPOCHS[:epochs], best=1)
    markers = [line.get_marker() for line in drawn[0].lines[:2]]
    assert markers == (["o", "o"] if is_seen else ["None", "None"])


def test_the_learning_rate_stands_over_its_epochs(drawn: list[Any]) -> None:
    report_plots.draw_learning_rate(EPOCHS)
    (line,) = drawn[0].lines
    assert points(line) == [[n, pytest.approx(0.1 * n)] for n in (1, 2, 3, 4)]


def test_a_curve_stands_beside_what_guessing_comes_to(drawn: list[Any]) -> None:
    report_plots.draw_roc([CURVE])
    guessing, curve = drawn[0].lines
    assert points(guessing) == DIAGONAL
    assert points(curve) == [[0, 0], [0.25, 0.75], [1, 1]]
    assert curve.get_label() == "\u200ba (area 0.750)"


def test_precision_is_shown_from_none_to_all(drawn: list[Any]) -> None:
    report_plots.draw_precision_recall([CURVE, CURVE])
    assert [points(line) for line in drawn[0].lines] == [[[0, 0], [0.25, 0.75], [1, 1]]] * 2
    low, high = drawn[0].get_ylim()
    assert -0.1 < low < 0
    assert 1 < high < 1.1


def test_what_was_said_stands_beside_what_was_so_by_its_rows(drawn: list[Any]) -> None:
    said, was = np.array([0.1, 0.6]), np.array([0.2, 0.5])
    report_plots.draw_calibration(Calibration(said, was, np.array([25, 75])))
    as_sure_as_right, model = drawn[0].lines
    assert points(as_sure_as_right) == DIAGONAL
    assert points(model) == [[0.1, 0.2], [0.6, 0.5]]
    (dots,) = drawn[0].collections
    assert dots.get_offsets().tolist() == [[0.1, 0.2], [0.6, 0.5]]
    # Three times the rows, three times the area; none is smaller than can be seen.
    few, many = dots.get_sizes()
    assert many - few == pytest.approx((few - 4) * 2)
    for low, high in (drawn[0].get_xlim(), drawn[0].get_ylim()):
        assert -0.1 < low < 0
        assert 1 < high < 1.1


@pytest.mark.parametrize("line", ["diagonal", "zero"])
def test_cells_are_the_darker_the_more_rows_they_have(drawn: list[Any], line: str) -> None:
    counts = np.array([[0, 1], [9, 99], [3, 0]])
    edges = np.array([2.0, 3, 4, 5]), np.array([-1.0, 0, 1])
    report_plots.draw_density(Density(*edges, counts, 0), "x", "y", line)
    (image,) = drawn[0].images
    # Columns of the picture are cells of x, its first line is the lowest y.
    assert image.get_extent() == [2, 5, -1, 1]
    assert image.origin == "lower"
    shades = image.get_array()
    assert shades.shape == (2, 3)
    assert shades.mask.tolist() == [[True, False, False], [False, False, True]]
    assert np.expm1(shades.filled(0)).round().tolist() == [[0, 9, 3], [1, 99, 0]]
    (through,) = drawn[0].lines
    if line == "diagonal":
        assert (through.get_xy1(), through.get_slope()) == ((2, 2), 1)
    else:
        assert list(through.get_ydata()) == [0, 0]


def test_zero_is_marked_among_the_bars(drawn: list[Any]) -> None:
    report_plots.draw_histogram(Histogram(np.array([-1.0, 0, 1]), np.array([3, 5]), 0), "x")
    (bars,) = drawn[0].patches
    assert bars.get_data().values.tolist() == [3, 5]
    assert bars.get_data().edges.tolist() == [-1, 0, 1]
    (zero,) = drawn[0].lines
    assert list(zero.get_xdata()) == [0, 0]
    # On bars of its own colour nobody would see it.
    from matplotlib.colors import to_rgba

    assert to_rgba(zero.get_color()) != to_rgba(bars.get_facecolor())


@pytest.mark.parametrize(("length", "shown"), [(29, 29), (30, 30), (31, 30), (300, 30)])
def test_a_name_is_as_long_as_fits(length: int, shown: int) -> None:
    shortened = report_plots._shorten("x" * length)
    assert len(shortened) == shown
    assert shortened.endswith("…") is (length > shown)
