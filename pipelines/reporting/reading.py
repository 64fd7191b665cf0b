"""What a report is made of, read from an output: profiles, reasons of rejected rows, and other runs' manifests."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from fsspec.core import url_to_fs
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import VerifyError
from pipelines.reporting.columns import Profile
from pipelines.reporting.document import Check, Reason
from storage import files
from storage.layout import find_document, is_published, read_held, read_manifest
from storage.output_names import RUNS
from storage.parquet_depth import open_parquet, refuse_deep
from storage.run_folder import RunFolder, is_plain
from transforms.summaries.summary import decode_table

Manifest: TypeAlias = Mapping[str, Any]
# Stage, class of the error, and message.
_Reason: TypeAlias = tuple[str, str, str]

# What is raised of a broken table: by the system, by Arrow, and by Python where a text is not UTF-8 or a date
# is none that it has.
_BROKEN = (OSError, pa.ArrowException, ValueError, OverflowError)
_PROFILE = "profile"
_CHECKS = "checks"
# Not the newest date, which is that of a row.
_CHECK_COLUMNS = ["column", "rule", "rows", "missing", "failed"]
_REASON_COLUMNS = ["stage", "error", "message"]
# The others are told as a number.
_MOST_REASONS = 30
# Parsed in a second or two; that of a run of a million small shards takes as long as a nap.
_LARGEST_MANIFEST_BYTES = 100_000_000


class ToldRun(NamedTuple):
    """A run, with what its manifest says."""

    run: RunFolder
    manifest: Manifest


class _Dated(NamedTuple):
    """A run, by when its manifest was written."""

    written_at: datetime
    run: RunFolder


def read_run(output: str, run_id: str | None) -> ToldRun:
    """Return a run that is published, or held back.

    Args:
        output: the output folder.
        run_id: which run; None for the current one.

    Raises:
        VerifyError: there is none, or its manifest cannot be read.
    """
    if run_id is not None and is_plain(run_id):
        run = RunFolder(files.to_absolute(output), run_id)
        held = None if is_published(run) else read_held(run)
        if held is not None:
            return ToldRun(run, held)
    return ToldRun(*read_manifest(output, run_id))


def read_profile(told: ToldRun) -> Profile:
    """Return the profile of a run, by kind, column and measure; nothing of a run without one.

    Args:
        told: the run.

    Raises:
        VerifyError: it is missing, or is none.
    """
    for entry in told.manifest.get("summaries", ()):
        if entry["name"] == _PROFILE:
            return _read_table(told, entry["path"])
    return {}


def read_reference(told: ToldRun) -> Profile:
    """Return the profile that a run was compared with; nothing where it was compared with none.

    Args:
        told: the run.

    Raises:
        VerifyError: it is missing, or is none.
    """
    path = _find_reference(told).get("profile")
    if not path:
        return {}
    return _read_table(told, path)


def read_checks(told: ToldRun) -> tuple[Check, ...]:
    """Return what became of the job's checks; nothing of a job without any.

    Args:
        told: the run.

    Raises:
        VerifyError: the file of them is missing, or is none.
    """
    checks = []
    for entry in told.manifest.get("summaries", ()):
        if entry["name"] != _CHECKS:
            continue
        url = files.join(told.run.published, entry["path"])
        for record in _read_records(url, _CHECK_COLUMNS):
            check = Check(**record)
            checks.append(check)
    return tuple(checks)


def count_reasons(told: ToldRun) -> tuple[Reason, ...]:
    """Return the reasons of rejected rows, the most frequent first.

    Args:
        told: the run.

    Raises:
        VerifyError: a file of them is missing, or is none.
    """
    counts: Counter[_Reason] = Counter()
    for entry in told.manifest["rejected_files"]:
        url = files.join(told.run.published, entry["path"])
        counts += _count_in_file(url)
    ranked = sorted(counts.items(), key=_rank)
    frequent = ranked[:_MOST_REASONS]
    reasons = [Reason(*reason, rows) for reason, rows in frequent]
    rest = [rows for _, rows in ranked[_MOST_REASONS:]]
    if rest:
        others = Reason("", "", f"{len(rest):,} other reasons", sum(rest))
        reasons.append(others)
    return tuple(reasons)


def read_runs(told: ToldRun, last: int) -> list[ToldRun]:
    """Return the last runs of an output up to one of them, the latest first.

    Args:
        told: the run, which is the first one.
        last: how many at most.
    """
    all_runs = _list_runs(told.run.output)
    candidates = [dated for dated in all_runs if dated.run != told.run]
    own = _find_written(told.run)
    if own is not None:
        # What came later is no past of this run's.
        candidates = [dated for dated in candidates if dated.written_at <= own.written_at]
    candidates.sort(reverse=True, key=_find_order)
    runs = [told]
    for dated in candidates:
        if len(runs) == last:
            break
        found = _read_other(dated.run)
        if found is not None:
            runs.append(found)
    return sorted(runs, reverse=True, key=_find_publication)


def find_before(runs: Sequence[ToldRun], told: ToldRun) -> ToldRun | None:
    """Return the run before another one: the one that it was compared with, or else the latest that readers saw.

    Args:
        runs: the latest first.
        told: the run.
    """
    reference = _find_reference(told)
    wanted = tuple(reference.get("runs") or ())
    is_one_run = reference.get("kind") in ("previous", "run") and len(wanted) == 1
    published_at = told.manifest["published_at"]
    for other in runs:
        if is_one_run and other.run.run_id == wanted[0]:
            return other
        if is_one_run or other.run == told.run:
            continue
        if other.manifest["published_at"] <= published_at:
            return other
    return None


def _find_order(dated: _Dated) -> tuple[datetime, str]:
    return dated.written_at, dated.run.run_id


def _find_publication(told: ToldRun) -> str:
    published_at: str = told.manifest["published_at"]
    return published_at


def _find_reference(told: ToldRun) -> Manifest:
    """Return what the manifest says of the reference; nothing of a run that was compared with none."""
    monitor = told.manifest.get("monitor") or {}
    return monitor.get("reference") or {}


def _read_table(told: ToldRun, path: str) -> Profile:
    folder, _, name = path.rpartition("/")
    url = files.join(told.run.published, path)
    content = None
    # A manifest that was altered may name a place outside.
    if is_plain(name) and is_plain(folder.removeprefix("_")):
        content = files.read(url)
    if content is None:
        raise VerifyError(
            f"{url}: is missing; move {told.run.published} away, and score the input again to publish "
            "it anew"
        )
    try:
        rows = decode_table(content).to_pylist()
        return {(row["kind"], row["column"], row["measure"]): row for row in rows}
    except (*_BROKEN, KeyError) as error:
        kind = type(error).__name__
        raise VerifyError(f"{url}: is no profile: {kind}") from error


def _read_records(
    url: str,
    columns: list[str],
) -> list[dict[str, Any]]:
    try:
        with files.open_read(url) as file:
            refuse_deep(file)
            return pq.read_table(file, columns=columns).to_pylist()
    except _BROKEN as error:
        kind = type(error).__name__
        raise VerifyError(f"{url}: cannot be read: {kind}") from error


def _count_in_file(url: str) -> Counter[_Reason]:
    counts: Counter[_Reason] = Counter()
    try:
        with files.open_read(url) as file:
            # Piece by piece: a job may allow millions of them.
            for batch in open_parquet(file).iter_batches(columns=_REASON_COLUMNS):
                counts += _count_in_batch(batch)
    except _BROKEN as error:
        kind = type(error).__name__
        raise VerifyError(f"{url}: cannot be read: {kind}") from error
    return counts


def _count_in_batch(batch: pa.RecordBatch) -> Counter[_Reason]:
    table = pa.Table.from_batches([batch])
    grouped = table.group_by(_REASON_COLUMNS).aggregate([([], "count_all")])
    counts: Counter[_Reason] = Counter()
    for found in grouped.to_pylist():
        reason = (found["stage"], found["error"], found["message"])
        counts[reason] = found["count_all"]
    return counts


def _rank(counted: tuple[_Reason, int]) -> tuple[int, _Reason]:
    reason, rows = counted
    # Ties in the order of the words, so that the same rows give the same page.
    return -rows, reason


def _list_runs(output: str) -> Iterator[_Dated]:
    names = files.list_names(files.join(output, RUNS))
    for name in filter(is_plain, names):
        found = _find_written(RunFolder(output, name))
        if found is not None:
            yield found


def _find_written(run: RunFolder) -> _Dated | None:
    url = find_document(run)
    if url is None:
        return None
    fs, path = url_to_fs(url)
    try:
        return _Dated(fs.modified(path), run)
    except FileNotFoundError:
        return None


def _read_other(run: RunFolder) -> ToldRun | None:
    """Return another run; None of one whose manifest nobody wants to wait for, or can read."""
    url = find_document(run)
    if url is None:
        return None
    fs, path = url_to_fs(url)
    try:
        if fs.size(path) > _LARGEST_MANIFEST_BYTES:
            return None
        return read_run(run.output, run.run_id)
    # It is not what the report is about.
    except (FileNotFoundError, VerifyError):
        return None
