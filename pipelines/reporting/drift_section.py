"""Columns of a report as cards with a picture, and as a table."""

from collections.abc import Sequence

from pipelines.pages.page import Card, Cell, Level, Mark, Table
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


def make_column_cards(columns: Sequence[Column], is_drawn: bool) -> list[Card]:
    """Return a card for each of the first columns.

    Args:
        columns: the worst first.
        is_drawn: whether there are pictures.
    """
    found = [column for column in columns if column.level != "none"]
    count = max(_MOST_CARDS, min(len(found), _MOST_FOUND_CARDS))
    return [_make_card(column, is_drawn) for column in columns[:count]]


def tabulate_columns(caption: str, columns: Sequence[Column]) -> Table:
    """Return a line for each column.

    Args:
        caption: of the table.
        columns: in the order of the lines.
    """
    shown = columns[:_MOST_LINES]
    cells: dict[str, list[Cell]] = {
        "level": [_make_mark(column) or _UNKNOWN for column in shown],
        "PSI": [_to_text(column.psi) for column in shown],
        "KS": [_to_text(column.ks) for column in shown],
        "chance": [_to_text(column.chance) for column in shown],
        "missing then": [_to_share(column.missing_then) for column in shown],
        "missing": [_to_share(column.missing) for column in shown],
        "out of range": [_to_share(column.outside) for column in shown],
        "mean then": [_to_text(column.mean_then) for column in shown],
        "mean": [_to_text(column.mean) for column in shown],
    }
    # What was measured of no column is left out, as all that compares where nothing was compared.
    told = {name: found for name, found in cells.items() if not _tells_nothing(found)}
    names = [_name(column) for column in shown]
    lines = zip(names, *told.values(), strict=True)
    more = len(columns) - len(shown)
    if more > 0:
        caption = f"{caption}; {more:,} more are in what --json prints"
    return Table(
        caption=caption,
        head=("column", *told),
        rows=list(lines),
        folded=len(shown) > _MOST_UNFOLDED_LINES,
    )


def _tells_nothing(cells: Sequence[Cell]) -> bool:
    return all(cell == _UNKNOWN for cell in cells)


def _make_card(column: Column, is_drawn: bool) -> Card:
    words = list(column.says)
    if column.psi is not None:
        words.append(f"PSI {column.psi:.3g}")
    if column.missing or column.missing_then:
        words.append(_say_missing(column))
    svg = ""
    if is_drawn and column.distribution is not None:
        place = (column.kind, column.column, column.measure)
        svg = draw_distribution("/".join(place), column.distribution)
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
    return _UNKNOWN if value is None else f"{value:.3g}"


def _to_share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.2%}"
