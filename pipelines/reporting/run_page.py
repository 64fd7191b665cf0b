"""From a run's report to its page."""

from collections.abc import Sequence
import json
from typing import TypeAlias

from pipelines.cli.log_format import redacted
from pipelines.cli.terminal import make_harmless
from pipelines.pages.drawing import can_draw
from pipelines.pages.page import (
    Answer,
    Level,
    Mark,
    Part,
    Picture,
    Rows,
    Section,
    Source,
    Table,
    render_page,
)
from pipelines.reporting import plots
from pipelines.reporting.document import Books, Broken, Check, Label, Reason, RunReport, Time
from pipelines.reporting.drift_section import make_column_cards, tabulate_columns
from pipelines.reporting.history_section import (
    make_changes_section,
    make_history_section,
    to_minute,
)

Words: TypeAlias = tuple[str, ...]

_USES: dict[str, Mark] = {
    "yes": Mark("good", "Yes"),
    "with care": Mark("care", "With care"),
    "no": Mark("bad", "No"),
}
_LEVELS: dict[str, Level] = {"hold": "bad", "warn": "care", "note": "note"}
_OUTCOMES = {
    "in": "rows in",
    "scored": "scored",
    "filtered": "filtered, by postprocess.where",
    "rejected": "rejected",
    "left_out": "left out, by source.where",
}
# The others are in the manifest, and in `--json`.
_MOST_LINES = 100
_WITHOUT_PICTURES = (
    "There are no pictures, as matplotlib is not installed: it comes with the extra report."
)
_HOW_TO_READ = (
    "The grey area is the reference, the line is this run; from the lowest numbers to the highest, "
    "cut where training had 1, 5, 25, 50, 75, 95 and 99 % of its rows below, or the most frequent values first."
)
_NO_VALUES = (
    "This page names no value of a row; monitor.report_values: true in the job would let it."
)


def render_report(report: RunReport) -> str:
    """Return the page.

    Args:
        report: what it tells.
    """
    published_at = to_minute(report.published_at)
    words = [
        f"Run {report.run_id} of job {report.job}, of {published_at} (UTC), in {report.output}."
    ]
    is_drawn = can_draw()
    if not is_drawn:
        words.append(_WITHOUT_PICTURES)
    sections = [
        _make_books_section(report.books),
        _make_drift_section(report, is_drawn),
        _make_scores_section(report, is_drawn),
        _make_rejected_section(report.reasons),
        _make_time_section(report.time, is_drawn),
        _make_model_section(report),
        make_changes_section(report.changes),
        make_history_section(report.history, is_drawn),
        _make_job_section(report),
    ]
    verdict = report.verdict
    answer = Answer(
        question="May I use these scores?",
        mark=_USES[verdict.use],
        sentence=verdict.sentence,
        why=verdict.why,
    )
    title = f"{report.job}: {report.books.rows['scored']:,} rows scored"
    page = render_page(title, words, sections, answer, with_contents=True)
    # A name may hold what turns the order of letters round.
    return make_harmless(page)


def _make_books_section(books: Books) -> Section:
    total = max(books.rows["in"], 1)
    lines: Rows = []
    for outcome, name in _OUTCOMES.items():
        if outcome in books.rows:
            count = books.rows[outcome]
            share = count / total
            lines.append((name, f"{count:,}", f"{share:.2%}"))
    balance = "They balance" if books.is_balanced else "They do not balance"
    words = [
        f"{balance}, for each of {books.units:,} units of work and in total. "
        f"Read from {books.inputs:,} files, written to {books.files:,}."
    ]
    if books.left_out:
        counts = [f"{count:,} {rule}" for rule, count in books.left_out.items()]
        listed = ", ".join(counts)
        words.append(f"Input paths that were left out, by the rule: {listed}.")
    parts: list[Part] = [Table("What became of all rows", ("outcome", "rows", "share"), lines)]
    if books.broken:
        parts.append(_tabulate_broken(books.broken))
    return Section("The books", tuple(words), tuple(parts))


def _tabulate_broken(broken: Sequence[Broken]) -> Table:
    lines: Rows = []
    for shard in broken[:_MOST_LINES]:
        lost = "nobody knows" if shard.rows is None else f"{shard.rows:,}"
        lines.append((shard.url, lost, shard.message))
    caption = f"Shards that could not be read to their end: {len(broken):,}"
    return Table(caption, ("shard", "rows lost", "why"), lines, of_numbers=False)


def _tabulate_checks(checks: Sequence[Check]) -> Table:
    lines: Rows = []
    for check in checks[:_MOST_LINES]:
        share = check.failed / max(check.rows, 1)
        line = (
            f"{check.column}: {check.rule}",
            f"{check.failed:,}",
            f"{share:.2%}",
            f"{check.missing:,}",
            f"{check.rows:,}",
        )
        lines.append(line)
    head = ("check", "failed", "share", "missing", "rows")
    return Table("Checks of what was read", head, lines)


def _make_drift_section(report: RunReport, is_drawn: bool) -> Section:
    compared = report.compared
    checks = [_tabulate_checks(report.checks)] if report.checks else []
    if not report.columns:
        words = "What the rows were like was not computed: the job asks for no profile (monitor)."
        return Section("The rows", (words,), tuple(checks))
    sentences = [f"Compared with {compared.says or 'nothing: the job names no reference'}."]
    if compared.with_what:
        sentences.append(_HOW_TO_READ)
    if not report.shows_values:
        sentences.append(_NO_VALUES)
    parts: list[Part] = []
    if compared.findings:
        found: Rows = []
        for finding in compared.findings:
            column = finding.column or "all rows"
            mark = Mark(_LEVELS[finding.level], finding.level)
            found.append((column, mark, finding.says))
        head = ("column", "level", "what was found")
        parts.append(Table("What was found", head, found, of_numbers=False))
    parts += checks
    parts += make_column_cards(report.columns, is_drawn)
    parts.append(tabulate_columns("All columns, the worst first", report.columns))
    return Section("The rows, and how far they drifted", tuple(sentences), tuple(parts))


def _make_scores_section(report: RunReport, is_drawn: bool) -> Section:
    parts: list[Part] = [*make_column_cards(report.scores, is_drawn)]
    if report.labels:
        parts.append(_tabulate_labels(report.labels))
    if report.scores:
        parts.append(tabulate_columns("All score columns, the worst first", report.scores))
    words: Words = ()
    if not parts:
        words = ("What the scores were like was not computed: the job asks for no profile.",)
    return Section("Scores and labels", words, tuple(parts))


def _tabulate_labels(labels: Sequence[Label]) -> Table:
    lines: Rows = []
    for label in labels:
        rows = f"{label.rows:,}"
        share = f"{label.share:.2%}"
        share_then = "" if label.share_then is None else f"{label.share_then:.2%}"
        lines.append((label.name, rows, share, share_then))
    head = ("label", "rows", "share", "share in the reference")
    return Table("How many rows were given each label", head, lines)


def _make_rejected_section(reasons: Sequence[Reason]) -> Section:
    if not reasons:
        return Section("Rejected rows", ("No row was rejected.",), ())
    lines: Rows = []
    for reason in reasons:
        words_of_it = reason.message
        if reason.error:
            words_of_it = f"{reason.error}: {reason.message}"
        lines.append((f"{reason.rows:,}", reason.stage, words_of_it))
    table = Table(
        "By reason, the most frequent first", ("rows", "stage", "reason"), lines, of_numbers=False
    )
    words = "Which rows they were is in the folder that python -m pipelines.path OUTPUT --rejected prints."
    return Section("Rejected rows", (words,), (table,))


def _make_time_section(time: Time, is_drawn: bool) -> Section:
    if not time.stages or not sum(time.stages.values()):
        return Section(
            "Where the time went", ("It is not known: another run scored all rows.",), ()
        )
    by = "1 worker" if time.workers == 1 else f"{time.workers:,} workers"
    sentence = f"{time.seconds:,.1f} s of the clock by {by}"
    if time.rows_per_second is not None:
        sentence += f", {time.rows_per_second:,.0f} rows/s"
    if time.peak_memory_bytes:
        sentence += f", {time.peak_memory_bytes / 1e6:,.0f} MB of memory at most"
    total = sum(time.stages.values())
    lines: Rows = []
    for name, seconds in time.stages.items():
        share = seconds / total
        lines.append((name, f"{seconds:,.3f}", f"{share:.0%}"))
    table = Table(
        "Seconds of each stage, all workers together",
        ("stage", "seconds", "share"),
        lines,
        folded=is_drawn,
    )
    parts: list[Part] = [table]
    if is_drawn:
        parts.insert(0, Picture("Seconds of each stage", plots.draw_stages(time.stages)))
    return Section("Where the time went", (f"{sentence}.",), tuple(parts))


def _make_model_section(report: RunReport) -> Section:
    of_model = list(report.model.items())
    of_computing = list(report.computing.items())
    of_libraries = list(report.libraries.items())
    model = Table("", (), of_model, of_numbers=False)
    computing = Table("How it was computed", (), of_computing, of_numbers=False)
    versions = Table("Versions of libraries", (), of_libraries, folded=True, of_numbers=False)
    words = "Nobody measured how far these settings are from float32: they are float32 themselves, or were not tuned."
    parts: list[Part] = [model, computing, versions]
    if report.agreement:
        words = "How far these settings are from float32, as tuning measured it on rows of its own, is below."
        figures: Rows = []
        for name, value in report.agreement.items():
            if value is not None:
                figures.append((name.replace("_", " "), f"{value:g}"))
        parts.insert(2, Table("Agreement with float32", (), figures))
    return Section("Model and versions", (words,), tuple(parts))


def _make_job_section(report: RunReport) -> Section:
    settings = json.dumps(report.settings, indent=1, ensure_ascii=False)
    text = redacted(settings)
    source = Source("All settings, as they were resolved", text)
    return Section("The job", (), (source,))
