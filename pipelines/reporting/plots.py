"""The pictures of a run's report: both distributions of a column, where the time went, the last runs."""

from collections.abc import Mapping, Sequence
import math
from typing import Any

from pipelines.pages.drawing import COLOURS, FILLED, open_figure
from pipelines.reporting.document import Distribution, PastRun

_NOW = COLOURS[0]
_FAR = COLOURS[1]
# Of other shapes, too, for who sees few colours.
_LOOKS = {
    "inputs": (_NOW, "o", "-"),
    "scores": (_FAR, "s", "--"),
}
_LINE_POINTS = 1.6
_POINT = 4
_CARD_INCHES = (2.8, 0.8)
# As wide as a phone nearly, so that letters stay large enough there.
_WIDE_INCHES = (4.8, 2.0)
_BAR_INCHES = 0.3
_MOST_DAYS = 6
# Of the highest bar: how far over a bar its sign is, and room for both.
_ABOVE = 0.08
_ROOM = 1.25
_ROOM_FOR_NAMES = 1.4
# Less is nothing: an axis of less would show noise as mountains.
_SMALLEST_PSI = 0.05
# Room for what stands below the bars.
_BELOW_INCHES = 0.55


def draw_distribution(name: str, distribution: Distribution) -> str:
    """Return shares of rows as SVG: an area for the reference, and a line for the run.

    Args:
        name: another one for each picture of a page.
        distribution: what is drawn.
    """
    words = _describe(distribution)
    # One more than there are bins.
    edges = range(len(distribution.names) + 1)
    with open_figure(name, words, *_CARD_INCHES) as (axes, drawn):
        axes.set_axis_off()
        # As wide as it is, whatever the shares are of.
        axes.margins(x=0.01)
        if distribution.then:
            axes.stairs(distribution.then, edges, fill=True, color=FILLED)
        if distribution.now:
            axes.stairs(distribution.now, edges, color=_NOW, lw=_LINE_POINTS)
        axes.set_ylim(bottom=0)
    return drawn.getvalue()


def draw_stages(stages: Mapping[str, float]) -> str:
    """Return the seconds of each stage as SVG, in the order in which rows meet them.

    Args:
        stages: seconds by name.
    """
    told = [f"{name} {seconds:.3g} s" for name, seconds in stages.items()]
    words = ", ".join(told)
    width, _ = _WIDE_INCHES
    height = _BELOW_INCHES + _BAR_INCHES * len(stages)
    with open_figure("stages", words, width, height) as (axes, drawn):
        names = list(stages)
        seconds = list(stages.values())
        axes.barh(names, seconds, color=_NOW)
        # The first one on top.
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("seconds, all workers together")
    return drawn.getvalue()


def draw_rows(history: Sequence[PastRun]) -> str:
    """Return the rows of the last runs as SVG, with marks over those that were warned of or held.

    Args:
        history: the latest run first.
    """
    runs = history[::-1]
    rows = [run.rows_in for run in runs]
    count = len(runs)
    fewest = min(rows)
    most = max(rows)
    words = f"Rows of {count} runs, from {fewest:,} to {most:,}"
    with open_figure("rows", words, *_WIDE_INCHES) as (axes, drawn):
        axes.bar(range(count), rows, color=FILLED)
        # Of no rows at all an axis would have no length.
        height = max(most, 1)
        _mark(axes, runs, above=_ABOVE * height)
        axes.set_ylabel("rows in")
        axes.set_ylim(0, _ROOM * height)
        _name_days(axes, runs)
    return drawn.getvalue()


def draw_drift(history: Sequence[PastRun]) -> str:
    """Return the largest distances of the last runs as SVG; empty where none was measured.

    Args:
        history: the latest run first.
    """
    runs = history[::-1]
    measured = {
        "inputs": [run.psi_input for run in runs],
        "scores": [run.psi_score for run in runs],
    }
    either = [*measured["inputs"], *measured["scores"]]
    if all(value is None for value in either):
        return ""
    words = f"The largest PSI of any input and of any score in {len(runs)} runs"
    largest = max(value for value in either if value is not None)
    highest = max(largest, _SMALLEST_PSI)
    with open_figure("drift", words, *_WIDE_INCHES) as (axes, drawn):
        for name, values in measured.items():
            _draw_line(axes, name, values)
        axes.set_ylabel("largest PSI")
        # Room for the names above the lines.
        axes.set_ylim(0, _ROOM_FOR_NAMES * highest)
        axes.legend(ncols=len(_LOOKS), loc="upper left")
        _name_days(axes, runs)
    return drawn.getvalue()


def _draw_line(axes: Any, name: str, values: Sequence[float | None]) -> None:
    """Draw what one of the kinds in `_LOOKS` had in each run."""
    colour, marker, line = _LOOKS[name]
    # None is a gap in the line.
    numbers = [math.nan if value is None else value for value in values]
    axes.plot(
        numbers,
        color=colour,
        marker=marker,
        markersize=_POINT,
        linestyle=line,
        label=name,
    )


def _describe(distribution: Distribution) -> str:
    """Return what a picture shows, for who has the page read aloud."""
    if not distribution.now:
        return "No rows were counted."
    share = max(distribution.now)
    largest = distribution.now.index(share)
    words = f"Most rows, {share:.0%}, are in: {distribution.names[largest]}"
    if not distribution.then:
        return f"{words}."
    share_then = distribution.then[largest]
    return f"{words}; in the reference these were {share_then:.0%}."


def _mark(axes: Any, runs: Sequence[PastRun], above: float) -> None:
    """Put a sign over each run that was warned of or held: of another shape, too.

    Args:
        axes: with the bars of rows.
        runs: in their order.
        above: how far over the bars.
    """
    markers = {"held": "X", "warned": "^", "released": "D"}
    signs = [_find_sign(run) for run in runs]
    for name, marker in markers.items():
        places = [place for place, sign in enumerate(signs) if sign == name]
        heights = [runs[place].rows_in + above for place in places]
        if places:
            axes.scatter(
                places,
                heights,
                marker=marker,
                color=_FAR,
                label=name,
            )
    if not markers.keys().isdisjoint(signs):
        axes.legend(ncols=len(markers), loc="upper left")


def _find_sign(run: PastRun) -> str:
    return run.verdict if run.state == "published" else run.state


def _name_days(axes: Any, runs: Sequence[PastRun]) -> None:
    """Write the days of some runs below them, as many as fit."""
    count = len(runs)
    step = math.ceil(count / _MOST_DAYS)
    # From the last one back, which is always named.
    places = range(count - 1, -1, -step)
    days = [_find_day(runs[place]) for place in places]
    axes.set_xticks(list(places), days)
    # Also where most runs have nothing to show.
    axes.set_xlim(-0.6, count - 0.4)
    axes.grid(visible=False, axis="x")


def _find_day(run: PastRun) -> str:
    """Return month and day of `2026-05-02T...`."""
    return run.published_at[5:10]
