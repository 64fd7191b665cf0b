"""May these scores be used? One sentence, and why, from what the manifest says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from pipelines.cli.left_out import left_out_rows
from pipelines.reporting.document import Books, Compared, Finding, Verdict

Manifest: TypeAlias = Mapping[str, Any]
# The others stand in their section.
_MOST_REASONS = 5
_UNBALANCED = "The books of this run do not balance: use another run."
_HELD = (
    "The run is held back, and readers do not see it: what its own job does not allow was found."
)
_RELEASED = "The run was held back, and then released by hand."
_BROKEN = "The run is published, and some of its input could not be read: scores are missing."
_EMPTY = "The run is whole, and no row of it has a score."
_WHOLE = "The run is whole, and every row is accounted for."


def find_verdict(manifest: Manifest, state: str, books: Books, compared: Compared) -> Verdict:
    """Return whether the scores of a run may be used.

    Args:
        manifest: of the run.
        state: `published`, `held` or `released`.
        books: what became of its rows.
        compared: what the comparison found.
    """
    accounted = _say_accounted(books)
    found = (*_say_broken(books), *_say_found(compared.findings))
    if not books.is_balanced:
        return Verdict("no", _UNBALANCED, (accounted,))
    if state == "held":
        return Verdict("no", _HELD, (*found, accounted))
    if state == "released":
        released = _say_released(manifest)
        return Verdict("with care", _RELEASED, (released, *found, accounted))
    if compared.verdict == "warned":
        sentence = _say_warned(compared.findings)
        return Verdict("with care", sentence, (*found, accounted))
    if books.broken:
        return Verdict("with care", _BROKEN, (*found, accounted))
    # Nobody asks for a night without a score: its rows were late, or none of them would do.
    with_score = books.rows["scored"] + books.rows["filtered"]
    if not with_score:
        return Verdict("with care", _EMPTY, (accounted,))
    if not compared.with_what:
        return Verdict("yes", _WHOLE, (accounted, _say_not_compared(compared)))
    near = (
        "The run is whole, and no column and no score is further from "
        f"{compared.with_what} than the job allows."
    )
    return Verdict("yes", near, (*_say_noted(compared.findings), accounted))


def _say_noted(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield that there are notes: a column that could not be compared is not known to be near."""
    count = sum(finding.level == "note" for finding in findings)
    if count:
        notes = "1 note, below, says" if count == 1 else f"{count:,} notes, below, say"
        yield f"{notes} what could not be compared, or what chance alone explains."


def _say_warned(findings: Sequence[Finding]) -> str:
    count = sum(finding.level == "warn" for finding in findings)
    warnings = "1 warning" if count == 1 else f"{count:,} warnings"
    return f"The run is whole, and {warnings} came with it: look first."


def _say_not_compared(compared: Compared) -> str:
    nothing = compared.says or "nothing: the job names no reference (monitor.reference)"
    return f"What its rows were like was compared with {nothing}."


def _say_accounted(books: Books) -> str:
    rows = books.rows
    came = rows["in"]
    scored = rows["scored"]
    filtered = rows["filtered"]
    rejected = rows["rejected"]
    left_out = left_out_rows(rows)
    sentence = (
        f"{came:,} rows in = "
        f"{scored:,} scored + {filtered:,} filtered + {rejected:,} rejected{left_out}"
    )
    if not rejected:
        return f"{sentence}."
    return f"{sentence}; rejected rows have no score, and {books.allowed:,} were allowed."


def _say_broken(books: Books) -> Iterator[str]:
    if not books.broken:
        return
    # One shard may have broken at several places.
    urls = {broken.url for broken in books.broken}
    count = len(urls)
    shards = "1 shard is" if count == 1 else f"{count:,} shards are"
    lost = sum(broken.rows or 0 for broken in books.broken)
    sentence = f"{shards} broken, and {lost:,} rows are lost with what was not read"
    if any(broken.rows is None for broken in books.broken):
        sentence = f"{sentence}, and more that nobody could count"
    yield f"{sentence}."


def _say_found(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the sentences of what was found, the worst first, with how many more there are."""
    held = [finding.says for finding in findings if finding.level == "hold"]
    warned = [finding.says for finding in findings if finding.level == "warn"]
    sentences = [*held, *warned]
    shown = sentences[:_MOST_REASONS]
    more = len(sentences) - len(shown)
    if more:
        shown.append(f"And {more:,} more, below.")
    return tuple(shown)


def _say_released(manifest: Manifest) -> str:
    released = manifest["released"]
    by = released["by"]
    at = released["at"]
    reason = released["reason"]
    return f"Released by {by} at {at}: {reason}"
