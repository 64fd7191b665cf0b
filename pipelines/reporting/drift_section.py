"""Columns of a report as cards with a picture, and as a table."""

from collections.abc import Sequence

from pipelines.pages.page import Card, Cell, Level, Mark, Rows, Table
from pipelines.reporting.document import Column
from pipelines.reporting.plots import draw_distribution

# As many as somebody looks at, of those that something was found of and of all; the others are in the table.
_MOST_FOUND_CARDS = 24
_MOST_CARDS = 9
# Of more the page would be of more than a megabyte; `--json` has them all.
_MOST_LINES = 1_000
_MOST_UNFOLDED_LINES = 40
_LEVELS: dict[str, Level] = {"hold": "bad", "warn": "care", "note": "note"}
_UNKNOWN = "-"
_HEAD = (
    "column",
    "level",
    "PSI",
    "KS",
    "chance",
    "new values",
    "missing then",
    "missing",
    "out of range",
    "mean then",
    "mean",
)


def make_column_cards(columns: Sequence[Column], is_drawn: bool) -> list[Card]:
    """Return a card for each of the first columns.

    Args:
        columns: the worst first.
        is_drawn: whether there are pictures.
    """
    found = [column for column in columns if column.level != "none"]
    count = min(len(found), _MOST_FOUND_CARDS)
    first = columns[: max(count, _MOST_CARDS)]
    return [_make_card(column, is_drawn) for column in first]


def tabulate_columns(caption: str, columns: Sequence[Column]) -> Table:
    """Return a line for each column.

    Args:
        caption: of the table.
        columns: in the order of the lines.
    """
    shown = columns[:_MOST_LINES]
    lines = [_list_cells(column) for column in shown]
    # What was measured of no column is left out, as all that compares where nothing was compared.
    head = [name for name in _HEAD if _is_told(name, lines)]
    rows: Rows = []
    for line in lines:
        cells = [line[name] for name in head]
        rows.append(tuple(cells))
    more = len(columns) - len(shown)
    if more > 0:
        caption = f"{caption}; {more:,} more are in what --json prints"
    return Table(
        caption=caption,
        head=tuple(head),
        rows=rows,
        folded=len(shown) > _MOST_UNFOLDED_LINES,
    )


def _list_cells(column: Column) -> dict[str, Cell]:
    """Return what a line tells of a column, by the names of `_HEAD`."""
    return {
        "column": _name(column),
        "level": _make_mark(column) or _UNKNOWN,
        "PSI": _to_text(column.psi),
        "KS": _to_text(column.ks),
        "chance": _to_text(column.chance),
        "new values": _to_share(column.new),
        "missing then": _to_share(column.missing_then),
        "missing": _to_share(column.missing),
        "out of range": _to_share(column.outside),
        "mean then": _to_text(column.mean_then),
        "mean": _to_text(column.mean),
    }


def _is_told(
    name: str,
    lines: Sequence[dict[str, Cell]],
) -> bool:
    return any(line[name] != _UNKNOWN for line in lines)


def _make_card(column: Column, is_drawn: bool) -> Card:
    words = list(column.says)
    # Sentences of what was found tell it themselves.
    if column.psi is not None and not words:
        words.append(f"PSI {column.psi:.3g}")
    if column.missing or column.missing_then:
        words.append(_say_missing(column))
    if column.numbers != column.counted:
        words.append(f"counted in {column.counted:,} of {column.numbers:,} numbers")
    svg = ""
    if is_drawn and column.distribution is not None:
        place = f"{column.kind}/{column.column}/{column.measure}"
        svg = draw_distribution(place, column.distribution)
    return Card(
        title=_name(column),
        mark=_make_mark(column),
        words=tuple(words),
        svg=svg,
    )


def _say_missing(column: Column) -> str:
    words = f"missing {column.missing:.2%}"
    if column.missing_then is None:
        return words
    return f"{words}, {column.missing_then:.2%} then"


def _make_mark(column: Column) -> Mark | None:
    level = _LEVELS.get(column.level)
    return None if level is None else Mark(level, column.level)


def _name(column: Column) -> str:
    """Return the name of a column, and what of it is told where that is not its value."""
    if column.measure == "value":
        return column.column
    return f"{column.column}, {column.measure}"


def _to_text(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.4g}"


def _to_share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.2%}"
