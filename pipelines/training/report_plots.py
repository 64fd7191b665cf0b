"""The pictures of a training's report."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from model_zoo.training.epoch import Epoch
from pipelines.pages.drawing import COLOURS, Drawn, open_figure
from pipelines.training.report_curves import Calibration, Curve, Density, Histogram

_WIDTH_INCHES = 4.6
_HEIGHT_INCHES = 3.5
_FIRST = COLOURS[0]
_SECOND = COLOURS[1]
# Of lines that are there to compare with, and of those through what is drawn.
_BESIDE: Any = {"color": "#777777", "linestyle": ":"}
_THROUGH: Any = {"color": _SECOND, "lw": 1}
# From corner to corner.
_ENDS = (0, 1)
_LONGEST_NAME = 30
# Square points, of a bin without rows and of one with all of them.
_SMALLEST_POINT = 4
_LARGEST_POINT = 150


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
        # The shades go from white on, on a dark page too.
        axes.set_facecolor("white")
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


@contextmanager
def _axes(
    x: str,
    y: str,
) -> Iterator[tuple[Any, Drawn]]:
    """Give axes to draw on, and what holds the picture behind this block.

    Args:
        x, y: what the axes are of.
    """
    with open_figure(f"{x}/{y}", f"{y}, by {x}", _WIDTH_INCHES, _HEIGHT_INCHES) as (axes, drawn):
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        yield axes, drawn


def _draw_curves(axes: Any, curves: Sequence[Curve], area: str) -> None:
    # There are as many colours as curves that are drawn at most.
    for curve, colour in zip(curves, COLOURS, strict=False):
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
