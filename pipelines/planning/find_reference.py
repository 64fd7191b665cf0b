"""What a run is compared with: training, runs that are published, or a profile's file.

    training    the model's own profile.parquet
    previous    the run that CURRENT names; of an output for each date that has none, that of the date before
    last 7      the runs that were published last, put together
    a run's id, a profile's path

It is found once, as a run is launched: a killed run goes on with what it has found first.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import compress
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
from pyarrow import Table

from configs.errors import InputError, JobError, ModelError, VerifyError
from configs.joined_words import join_some
from configs.monitor import find_last
from model_zoo.package.package import PROFILE
from model_zoo.package.packed_model import PackedModel
from storage import files
from storage.layout import find_current_run, is_published, read_manifest
from storage.run_folder import RunFolder
from transforms.batches import LEFT_OUT
from transforms.output.compared_reference import (
    ComparedReference,
    ReferenceHead,
    ReferenceKind,
    decode_reference,
    make_empty_profile,
)
from transforms.summaries.merged_profiles import merge_profiles
from transforms.summaries.profile_schema import SCHEMA, complete_profile
from transforms.summaries.summary import decode_table
from transforms.summaries.training_profile import read_training_table

_SUMMARY = "profile"
# A store answers in tens of milliseconds.
_THREADS = 8
# Enough to see which ones, few enough for a line.
_SHOWN_RUNS = 3
Manifest: TypeAlias = dict[str, Any]


class _PublishedRun(NamedTuple):
    """A run that others are compared with."""

    run: RunFolder
    manifest: Manifest


def find_reference(
    asked: str,
    run: RunFolder,
    package: PackedModel,
    new_names: Mapping[str, str],
) -> ComparedReference:
    """Return what the job says its run is compared with.

    Args:
        asked: what it says.
        run: the run.
        package: its model.
        new_names: of scores, as the job renames them.

    Raises:
        JobError, InputError, ModelError, VerifyError: it cannot be found, or read.
    """
    standing = _read_frozen(run)
    if standing is not None and standing.head.asked == asked:
        return standing
    if asked == "training":
        return _find_training(package, new_names)
    if asked.endswith(".parquet"):
        return _read_file(asked)
    count = find_last(asked)
    if count is not None:
        return _compare_with(asked, "last", _find_last(run, count), run.output)
    if asked == "previous":
        return _compare_with(asked, "previous", _find_previous(run), run.output)
    named = _PublishedRun(*read_manifest(run.output, asked))
    return _compare_with(asked, "run", [named], run.output)


def _read_frozen(run: RunFolder) -> ComparedReference | None:
    """Return what an interrupted launch of the run has found; None where there was none."""
    content = files.read(run.reference)
    # What a crash of the machine left is found anew.
    with suppress(ValueError):
        return None if content is None else decode_reference(content)
    return None


def _find_training(package: PackedModel, new_names: Mapping[str, str]) -> ComparedReference:
    if PROFILE not in package.card.files:
        raise JobError(
            f"monitor.reference: training, and {package.url} has no {PROFILE}; pack the model again, "
            "or compare with previous"
        )
    try:
        table = read_training_table(package.read_file(PROFILE), new_names)
    except ValueError as error:
        raise ModelError(f"{package.url}/{PROFILE}: {error}; pack the model again") from error
    rows = max(table.column("rows").to_pylist(), default=0)
    head = ReferenceHead("training", "training", f"training ({rows:,} rows)", volumes=(rows,))
    return ComparedReference(head, table)


def _read_file(path: str) -> ComparedReference:
    url = files.to_absolute(path)
    content = files.read(url)
    if content is None:
        raise InputError(f"monitor.reference: {url} is not there; name the profile of a run")
    table = _parse_profile(url, content)
    counts = [record["rows"] for record in table.to_pylist() if record["kind"] == "input"]
    rows = max(counts, default=0)
    head = ReferenceHead(path, "file", f"{path} ({rows:,} rows)", volumes=(rows,))
    return ComparedReference(head, table)


def _find_previous(run: RunFolder) -> list[_PublishedRun]:
    """Return the run that readers read now, or in an output for each date that of the date before."""
    for output in (run.output, *_list_earlier_dates(run.output)):
        current = find_current_run(output)
        # A run is not compared with itself: not published, it is no run of today's.
        if current is not None and current != run.run_id:
            return [_PublishedRun(*read_manifest(output, current))]
    return []


def _find_last(run: RunFolder, count: int) -> list[_PublishedRun]:
    """Return the runs that were published last; in an output for each date those of the dates before."""
    found = []
    for output in _list_earlier_dates(run.output):
        current = find_current_run(output)
        if current is not None:
            found.append(_PublishedRun(*read_manifest(output, current)))
        if len(found) == count:
            return found
    return found or _list_published(run)[:count]


def _list_earlier_dates(output: str) -> Iterator[str]:
    """Yield the outputs of dates before, the latest first, where an output's folder is `name=date`."""
    above, _, name = output.rstrip("/").rpartition("/")
    column, equals, date = name.partition("=")
    if not equals:
        return
    for other in sorted(files.list_names(above), reverse=True):
        prefix, _, other_date = other.partition("=")
        if prefix == column and other_date < date:
            yield files.join(above, other)


def _list_published(run: RunFolder) -> list[_PublishedRun]:
    """Return the runs of an output that are published, the latest first, but for the run itself."""
    output = run.output
    names = files.list_names(files.join(output, "runs"))
    others = [RunFolder(output, name) for name in names if name != run.run_id]
    with ThreadPoolExecutor(_THREADS) as pool:
        is_there = pool.map(is_published, others)
        standing = list(compress(others, is_there))
        manifests = pool.map(partial(_read_manifest, output), standing)
        pairs = zip(standing, manifests, strict=True)
        found = [_PublishedRun(other, manifest) for other, manifest in pairs]
    return sorted(found, key=_read_time, reverse=True)


def _read_manifest(output: str, run: RunFolder) -> Manifest:
    _, manifest = read_manifest(output, run.run_id)
    return manifest


def _read_time(published: _PublishedRun) -> str:
    # All in UTC, and of one form.
    at: str = published.manifest["published_at"]
    return at


def _compare_with(
    asked: str,
    kind: ReferenceKind,
    runs: Sequence[_PublishedRun],
    output: str,
) -> ComparedReference:
    if not runs:
        says = f"nothing, as no other run of {output} is published yet"
        head = ReferenceHead(asked, "none", says, notes=(f"compared with {says}",))
        return ComparedReference(head, make_empty_profile())
    notes = []
    tables: list[Table] = []
    for run, manifest in runs:
        table = _read_profile(run, manifest)
        if table is None:
            notes.append(f"run {run.run_id} has no profile, so its columns are not compared")
        else:
            tables.append(table)
    merged, left_out = merge_profiles(tables)
    if left_out:
        notes.append(f"{left_out} of {len(runs)} runs have other cut points, and are left out")
    ids = [run.run_id for run, _ in runs]
    word = "run" if len(ids) == 1 else "runs"
    rows = [_count_rows(manifest) for _, manifest in runs]
    listed = join_some(ids, _SHOWN_RUNS)
    all_rows = sum(rows)
    says = f"{word} {listed} ({all_rows:,} rows)"
    head = ReferenceHead(asked, kind, says, tuple(ids), tuple(rows), tuple(notes))
    return ComparedReference(head, merged)


def _count_rows(manifest: Manifest) -> int:
    rows = manifest["rows"]
    counted: int = rows["in"] - rows.get(LEFT_OUT, 0)
    return counted


def _read_profile(run: RunFolder, manifest: Manifest) -> Table | None:
    for entry in manifest.get("summaries", ()):
        if entry["name"] == _SUMMARY:
            url = files.join(run.published, entry["path"])
            content = files.read(url)
            if content is None:
                raise VerifyError(f"{url}: is missing; compare with another run")
            return _parse_profile(url, content)
    return None


def _parse_profile(url: str, content: bytes) -> Table:
    try:
        return complete_profile(decode_table(content)).cast(SCHEMA)
    except (pa.ArrowException, OSError, ValueError) as error:
        kind = type(error).__name__
        raise InputError(
            f"monitor.reference: {url} is no profile of a run: {kind}; name its profile-....parquet"
        ) from error
