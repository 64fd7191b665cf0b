"""The table that tuning shows, line by line as results come."""

from collections.abc import Sequence
from dataclasses import replace

from model_zoo.engines.settings import DEFAULT_ENGINE, Settings
from pipelines.tuning.measured import Measured

COLUMNS = (
    "time",
    "engine",
    "setting",
    "batch rows",
    "rows/s",
    "speed-up",
    "max difference",
    "label agreement",
    "cosine",
    "",
)
_WIDTHS = (5, 11, 35, 10, 10, 8, 14, 15, 9, 0)
# Words to the left, numbers below each other.
_WORDS = ("engine", "setting", "")
_UNKNOWN = "-"


def make_cells(
    measured: Measured,
    reference: Measured,
    seconds: float,
) -> list[str]:
    """Return one row of the table.

    Args:
        measured: the settings, and what came of them.
        reference: what they are compared with.
        seconds: since tuning began.
    """
    settings = measured.settings
    rate = measured.rate
    shown_rate = _UNKNOWN
    speed_up = _UNKNOWN
    # What could not be loaded has none.
    if rate:
        shown_rate = f"{rate:,.0f}"
    if rate and reference.rate:
        speed_up = f"{rate / reference.rate:.2f}"

    difference = _UNKNOWN
    labels = _UNKNOWN
    cosine = _UNKNOWN
    agreement = measured.agreement
    if agreement is not None:
        difference = f"{agreement.max_difference:.2g}"
        # A model has labels, or vectors to compare the directions of.
        labels = _format_known(agreement.label_agreement, ".4f")
        cosine = _format_known(agreement.cosine, ".6f")
    return [
        shown_time(seconds),
        settings.engine,
        # The engine has a column of its own.
        _without_engine(settings),
        f"{settings.batch_rows:,}",
        shown_rate,
        speed_up,
        difference,
        labels,
        cosine,
        measured.problem,
    ]


def make_line(cells: Sequence[str]) -> str:
    """Return the cells of a row below those of the other rows."""
    shown = []
    for cell, name, width in zip(cells, COLUMNS, _WIDTHS, strict=True):
        # Words begin below each other, and numbers end so.
        pad = cell.ljust if name in _WORDS else cell.rjust
        shown.append(pad(width))
    return "  ".join(shown).rstrip()


def shown_settings(settings: Settings) -> str:
    """Return settings with their engine, which they do not name where it is torch."""
    return f"{settings.engine} {_without_engine(settings)}"


def _without_engine(settings: Settings) -> str:
    return str(replace(settings, engine=DEFAULT_ENGINE))


def shown_time(seconds: float) -> str:
    """Return minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _format_known(value: float | None, spec: str) -> str:
    if value is None:
        return _UNKNOWN
    return format(value, spec)
