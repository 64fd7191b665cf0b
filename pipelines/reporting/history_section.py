"""What changed since the run before, and the last runs, as sections of a page."""

from collections.abc import Sequence

from pipelines.pages.page import Cell, Level, Mark, Part, Picture, Rows, Section, Table
from pipelines.reporting.document import Changes, PastRun
from pipelines.reporting.plots import draw_drift, draw_rows

_MOST_CHANGES = 200
_WORDS: dict[str, tuple[Level, str]] = {
    "held": ("bad", "held"),
    "released": ("care", "released"),
    "warned": ("care", "warned"),
    "clean": ("good", "clean"),
}
_MANY_RUNS = 10


def make_changes_section(changes: Changes) -> Section:
    """Return what changed since another run.

    Args:
        changes: of it.
    """
    title = "What changed since the run before"
    if changes.since is None:
        return Section(title, ("There is no run before this one.",), ())
    published_at = to_minute(changes.published_at or "")
    since = f"Since run {changes.since}, published at {published_at}"
    if not changes.changes:
        return Section(title, (f"{since}, nothing changed that the manifests tell.",), ())
    lines: Rows = [
        (f"{change.about}: {change.name}", change.before, change.now)
        for change in changes.changes[:_MOST_CHANGES]
    ]
    caption = "What is another now"
    more = len(changes.changes) - len(lines)
    if more > 0:
        caption = f"{caption}; {more:,} more are in what --json prints"
    table = Table(caption, ("what", "then", "now"), lines, of_numbers=False)
    return Section(title, (f"{since}:",), (table,))


def make_history_section(history: Sequence[PastRun], is_drawn: bool) -> Section:
    """Return the last runs.

    Args:
        history: the latest first.
        is_drawn: whether there are pictures.
    """
    parts: list[Part] = []
    # One run has no past to draw.
    if is_drawn and len(history) > 1:
        parts.append(Picture("Rows of each run, by the day it was published", draw_rows(history)))
        drift = draw_drift(history)
        if drift:
            parts.append(Picture("The column that is furthest from the reference", drift))
    lines: Rows = [_make_line(run) for run in history]
    head = (
        "published at",
        "run",
        "verdict",
        "rows in",
        "scored",
        "rejected",
        "seconds",
        "largest PSI",
        "model",
    )
    table = Table("The latest first", head, lines, folded=len(lines) > _MANY_RUNS, of_numbers=False)
    parts.append(table)
    runs = "1 run" if len(history) == 1 else f"{len(history):,} runs"
    return Section("The last runs", (f"{runs}, this one among them.",), tuple(parts))


def to_minute(time: str) -> str:
    r"""Return a time without seconds, in one piece.

    >>> to_minute("2026-05-02T01:02:03.000+00:00")
    '2026-05-02\xa001:02'
    """
    return time[:16].replace("T", "\u00a0")


def _make_line(run: PastRun) -> tuple[Cell, ...]:
    run_id = f"{run.run_id} (this one)" if run.is_this else run.run_id
    return (
        to_minute(run.published_at),
        run_id,
        _make_mark(run),
        f"{run.rows_in:,}",
        f"{run.rows_scored:,}",
        f"{run.rows_rejected:,}",
        f"{run.seconds:,.1f}",
        _find_largest(run),
        run.model,
    )


def _make_mark(run: PastRun) -> Cell:
    word = run.verdict if run.state == "published" else run.state
    if word not in _WORDS:
        return "not compared"
    level, text = _WORDS[word]
    return Mark(level, text)


def _find_largest(run: PastRun) -> str:
    either = (run.psi_input, run.psi_score)
    measured = [psi for psi in either if psi is not None]
    if not measured:
        return ""
    largest = max(measured)
    return f"{largest:.3g}"
