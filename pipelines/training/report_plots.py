"""The report's pictures, drawn by matplotlib as SVG that stands inside the page.

Names are drawn as they are: no name is a formula to matplotlib, and none is markup to a browser.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
import io
from typing import Any

import numpy as np

from model_zoo.training.epoch import Epoch
from pipelines.training.report_curves import Calibration, Curve, Density, Histogram

_WIDTH_INCHES = 4.6
_HEIGHT_INCHES = 3.5
# Of Okabe and Ito, whom people who see few colours tell apart as well.
_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00",
    "#56B4E9", "#000000", "#777777", "#8B4513", "#F0E442",
)  # fmt: skip
_FIRST = _COLOURS[0]
_SECOND = _COLOURS[1]
# Of lines that are there to compare with, and of those through what is drawn.
_BESIDE: Any = {"color": "#777777", "linestyle": ":"}
_THROUGH: Any = {"color": _SECOND, "lw": 1}
# From corner to corner.
_ENDS = (0, 1)
_STYLES = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "font.size": 9.0,
    "grid.alpha": 0.3,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    # Text stays text, which can be searched and read aloud, and is a tenth of the size.
    "svg.fonttype": "none",
    # A class may be called $x$.
    "text.parse_math": False,
}
# What matplotlib writes of itself and of today; none of it, so that the same training gives the same bytes.
_NOTHING_OF_ITSELF = {"Creator": None, "Date": None, "Format": None, "Type": None}
_LONGEST_NAME = 30
# Square points, of a bin without rows and of one with all of them.
_SMALLEST_POINT = 4
_LARGEST_POINT = 150


def can_draw() -> bool:
    """Tell whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw_learning(epochs: Sequence[Epoch], best: int) -> str:
    """Return the losses over the epochs as SVG.

    Args:
        epochs: of the training.
        best: number of the epoch whose weights were kept.
    """
    numbers = [epoch.number for epoch in epochs]
    training = [epoch.training_loss for epoch in epochs]
    validation = [epoch.validation_loss for epoch in epochs]
    with _axes("epoch", "loss") as (axes, drawn):
        # One epoch is a point, of which a line would show nothing.
        marker = "o" if len(epochs) == 1 else None
        axes.plot(
            numbers,
            training,
            color=_FIRST,
            marker=marker,
            label="training",
        )
        axes.plot(
            numbers,
            validation,
            color=_SECOND,
            marker=marker,
            label="validation",
        )
        axes.axvline(best, **_BESIDE, label=f"kept: epoch {best}")
        axes.legend()
    return drawn.getvalue()


def draw_learning_rate(epochs: Sequence[Epoch]) -> str:
    """Return the learning rate over the epochs as SVG."""
    numbers = [epoch.number for epoch in epochs]
    rates = [epoch.learning_rate for epoch in epochs]
    with _axes("epoch", "learning rate") as (axes, drawn):
        axes.plot(numbers, rates, color=_FIRST)
    return drawn.getvalue()


def draw_roc(curves: Sequence[Curve]) -> str:
    """Return true positive rates over false positive rates as SVG."""
    with _axes("false positive rate", "true positive rate") as (axes, drawn):
        # What guessing comes to.
        axes.plot(_ENDS, _ENDS, **_BESIDE)
        _draw_curves(axes, curves, "area")
    return drawn.getvalue()


def draw_precision_recall(curves: Sequence[Curve]) -> str:
    """Return precision over recall as SVG."""
    with _axes("recall", "precision") as (axes, drawn):
        _draw_curves(axes, curves, "mean precision")
        axes.set_ylim(-0.02, 1.02)
    return drawn.getvalue()


def draw_calibration(calibration: Calibration) -> str:
    """Return how often what was said was so, over how surely it was said, as SVG."""
    said = calibration.said
    was = calibration.was
    rows = calibration.rows
    # What few rows say counts little, and looks so.
    shares = rows / rows.sum()
    sizes = _SMALLEST_POINT + _LARGEST_POINT * shares
    x = "probability that the model gives"
    y = "share of rows where it was so"
    with _axes(x, y) as (axes, drawn):
        axes.plot(_ENDS, _ENDS, **_BESIDE, label="as sure as right")
        axes.plot(
            said,
            was,
            color=_FIRST,
            lw=0.7,
            label="the model",
        )
        axes.scatter(said, was, sizes, color=_FIRST)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.legend()
    return drawn.getvalue()


def draw_density(
    density: Density,
    x: str,
    y: str,
    line: str,
) -> str:
    """Return counts by two numbers as SVG; the darker, the more rows.

    Args:
        density: the counts.
        x, y: what the numbers are.
        line: what is drawn through it: `diagonal`, where both are the same, or `zero`.
    """
    # Of counts that differ much the few would be as white as none.
    shades = np.log1p(density.counts.T)
    # Cells without rows stay white, and are not written.
    shown = np.ma.masked_equal(shades, 0)
    with _axes(x, y) as (axes, drawn):
        left = density.x_edges[0]
        right = density.x_edges[-1]
        bottom = density.y_edges[0]
        top = density.y_edges[-1]
        # A picture in the picture: as many rectangles would be a hundred times as large.
        axes.imshow(
            shown,
            cmap="Blues",
            vmin=-0.5,
            extent=(left, right, bottom, top),
            aspect="auto",
            interpolation="nearest",
            origin="lower",
        )
        if line == "diagonal":
            start = (left, left)
            axes.axline(start, slope=1, **_THROUGH)
        else:
            axes.axhline(0, **_THROUGH)
    return drawn.getvalue()


def draw_histogram(histogram: Histogram, x: str) -> str:
    """Return counts by a number as SVG.

    Args:
        histogram: the counts.
        x: what the number is.
    """
    with _axes(x, "rows") as (axes, drawn):
        axes.stairs(
            histogram.counts,
            histogram.edges,
            fill=True,
            color=_FIRST,
        )
        axes.axvline(0, **_THROUGH)
    return drawn.getvalue()


class _Drawn:
    """The SVG of a picture, once it is drawn."""

    def __init__(self) -> None:
        self._svg = ""

    def keep(self, content: bytes) -> None:
        text = content.decode()
        # Before it stand lines that a page already has: an XML declaration, and a document type.
        start = text.index("<svg")
        self._svg = text[start:]

    def getvalue(self) -> str:
        return self._svg


@contextmanager
def _axes(x: str, y: str) -> Iterator[tuple[Any, _Drawn]]:
    """Give axes to draw on, and what holds the picture behind this block.

    Args:
        x, y: what the axes are of.
    """
    # A third of a second, and only here is it needed.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    drawn = _Drawn()
    # What ids in the SVG are made of: those of one picture are not those of another in the page.
    own: Any = {**_STYLES, "svg.hashsalt": f"{x}/{y}"}
    with rc_context(own):
        figure = Figure(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES))
        axes = figure.subplots()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        yield axes, drawn
        sink = io.BytesIO()
        figure.savefig(sink, format="svg", metadata=_NOTHING_OF_ITSELF)
        drawn.keep(sink.getvalue())


def _draw_curves(axes: Any, curves: Sequence[Curve], area: str) -> None:
    # There are as many colours as curves that are drawn at most.
    for curve, colour in zip(curves, _COLOURS, strict=False):
        shortened = _shorten(curve.name)
        name = f"{shortened} ({area} {curve.area:.3f})"
        axes.plot(
            curve.x,
            curve.y,
            color=colour,
            # A name that begins with _ is left out of legends, unless it is not the first letter.
            label=f"\u200b{name}",
        )
    axes.legend()


def _shorten(name: str) -> str:
    """Return a name that fits in a picture; in the tables it stands in full."""
    if len(name) <= _LONGEST_NAME:
        return name
    # One letter less, for the ellipsis.
    beginning = name[: _LONGEST_NAME - 1]
    return f"{beginning}…"
