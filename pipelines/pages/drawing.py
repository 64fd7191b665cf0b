"""The ground of all pictures of pages, drawn by matplotlib as SVG that stands inside the page.

Names are drawn as they are: no name is a formula to matplotlib, and none is markup to a browser. The
colours are words of the page's style, so that a picture is as light or dark as the page.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib.util import find_spec
import io
import re
from typing import Any

# Of Okabe and Ito, whom people who see few colours tell apart as well.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00",
    "#56B4E9", "#000000", "#777777", "#8B4513", "#F0E442",
)  # fmt: skip
# Areas behind a line.
FILLED = "#c3c8d0"
_INK = "#010101"
# What the page's style calls them, and so what they are on a dark page.
_WORDS_OF_STYLE = {
    "#0072b2": "var(--first)",
    "#d55e00": "var(--second)",
    "#009e73": "var(--third)",
    "#777777": "var(--beside)",
    "#000000": "var(--ink)",
    FILLED: "var(--filled)",
    _INK: "var(--ink)",
}
_STYLES = {
    "axes.axisbelow": True,
    "axes.edgecolor": _INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "font.size": 9.0,
    "grid.alpha": 0.3,
    "grid.color": "#777777",
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    # Text stays text, which can be searched and read aloud, and is a tenth of the size.
    "svg.fonttype": "none",
    "text.color": _INK,
    # A class may be called $x$.
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
# What matplotlib writes of itself and of today; none of it, so that the same figures give the same bytes.
_NOTHING_OF_ITSELF = {"Creator": None, "Date": None, "Format": None, "Type": None}
_COLOUR = re.compile("#[0-9a-f]{6}")
_ID = re.compile(r' id="([^"]*)"')


def can_draw() -> bool:
    """Tell whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


class Drawn:
    """The SVG of a picture, once it is drawn."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._svg = ""

    def keep(self, content: bytes) -> None:
        """Keep what matplotlib wrote, as a page needs it."""
        text = content.decode()
        # Before it stand lines that a page already has: an XML declaration, and a document type.
        start = text.index("<svg")
        text = _remove_unused_ids(text[start:])
        text = _COLOUR.sub(_name_colour, text)
        # One picture to who has it read aloud, and not all of its strokes.
        words = escape(self._words)
        self._svg = text.replace("<svg", f'<svg role="img" aria-label="{words}"', 1)

    def getvalue(self) -> str:
        """Return the SVG."""
        return self._svg


@contextmanager
def open_figure(
    name: str,
    words: str,
    width_inches: float,
    height_inches: float,
) -> Iterator[tuple[Any, Drawn]]:
    """Give axes to draw on, and what holds the picture behind this block.

    Args:
        name: another one for each picture of a page.
        words: what is told to who cannot see it.
        width_inches, height_inches: of the picture.
    """
    # A third of a second, and only here is it needed.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    drawn = Drawn(words)
    # What ids in the SVG are made of: those of one picture are not those of another in the page.
    own: Any = {**_STYLES, "svg.hashsalt": name}
    with rc_context(own):
        figure = Figure(figsize=(width_inches, height_inches))
        yield figure.subplots(), drawn
        sink = io.BytesIO()
        figure.savefig(sink, format="svg", metadata=_NOTHING_OF_ITSELF)
        drawn.keep(sink.getvalue())


def _remove_unused_ids(svg: str) -> str:
    """Return a picture without names of its parts that nothing refers to: all pictures have the same."""

    def keep_used(found: re.Match[str]) -> str:
        is_used = f"#{found.group(1)}" in svg
        return found.group() if is_used else ""

    return _ID.sub(keep_used, svg)


def _name_colour(found: re.Match[str]) -> str:
    colour = found.group()
    return _WORDS_OF_STYLE.get(colour, colour)
