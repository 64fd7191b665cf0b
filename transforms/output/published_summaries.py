"""What was computed beside the scores, merged as a run is published: one file of each summary.

    _summaries/part-00000-000-...-profile.parquet  |
    _summaries/part-00001-000-...-profile.parquet  |  ->  _summaries/profile-<digest>.parquet

Those of units stay beside it: a later run that takes over some of the units takes their summaries, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
import hashlib
from typing import Any, TypeAlias

import pyarrow as pa

from configs.errors import PublishError
from storage import files
from storage.run_folder import RunFolder
from transforms.output.encoded_table import encode_table
from transforms.output.many_requests import call_for_each
from transforms.output.published_files import find_summary_name
from transforms.output.stored_summary import put_summary
from transforms.summaries.summary import State, StoredSummary, Summaries, Summary, decode_table

# A file as the manifest lists it.
Entry: TypeAlias = Mapping[str, Any]
# Read at once from a store; each is some kilobytes.
_READ_AT_ONCE = 256


def publish_summaries(
    run: RunFolder,
    summaries: Summaries,
    entries: Sequence[Entry],
    parts: int,
) -> dict[str, list[dict[str, Any]]]:
    """Merge the summaries of units, and return the entries `summaries` of the manifest.

    Args:
        run: the run, among whose published files those of units are.
        summaries: what the job asks for.
        entries: of the files of units, in the order of the plan.
        parts: how many parts are published, each of which has its summaries.

    Raises:
        PublishError: one is missing, or not what was written.
    """
    if not summaries:
        return {}
    # A table may have no file at all, of whose rows nothing could be known.
    if not parts:
        return {"summaries": []}
    for summary in summaries:
        _refuse_missing(run, summary, entries, parts)
    written = [_publish_summary(run, summary, entries) for summary in summaries]
    return {"summaries": written}


def _refuse_missing(
    run: RunFolder,
    summary: Summary,
    entries: Sequence[Entry],
    parts: int,
) -> None:
    found = len(_select(entries, summary))
    # A unit that was taken over may have those of several parts.
    if found < parts:
        raise PublishError(
            f"{run.published}: {found} of {parts} parts have a summary called {summary.name}; "
            f"remove {run.temporary} and run again"
        )


def _select(entries: Sequence[Entry], summary: Summary) -> list[Entry]:
    return [entry for entry in entries if find_summary_name(entry["path"]) == summary.name]


def _publish_summary(
    run: RunFolder,
    summary: Summary,
    entries: Sequence[Entry],
) -> dict[str, Any]:
    table = _merge(run, summary, _select(entries, summary))
    return put_summary(run, summary.name, encode_table(table), table.num_rows)


def _merge(run: RunFolder, summary: Summary, entries: Sequence[Entry]) -> pa.Table:
    if isinstance(summary, StoredSummary):
        urls = [files.join(run.published, entry["path"]) for entry in entries]
        for url, entry in zip(urls, entries, strict=True):
            _refuse_altered(run, url, files.compute_sha256(url), entry)
        return summary.merge_stored(urls)
    # One after the other, as all of them together may be large.
    states = _read_states(run, summary, entries)
    return summary.write(reduce(summary.merge, states))


def _read_states(
    run: RunFolder,
    summary: Summary,
    entries: Sequence[Entry],
) -> Iterator[State]:
    def read(entry: Entry) -> State:
        return _read_state(run, summary, entry)

    # Some at a time, as all of them may be many.
    for first in range(0, len(entries), _READ_AT_ONCE):
        some = entries[first : first + _READ_AT_ONCE]
        yield from call_for_each(run.output, read, some)


def _read_state(run: RunFolder, summary: Summary, entry: Entry) -> State:
    url = files.join(run.published, entry["path"])
    content = files.read(url)
    if content is None:
        raise FileNotFoundError(f"{url}: somebody removed it")
    _refuse_altered(run, url, hashlib.sha256(content).hexdigest(), entry)
    table = decode_table(content)
    try:
        return summary.read(table)
    except ValueError as error:
        raise PublishError(f"{url}: {error}; remove {run.temporary} and run again") from error


def _refuse_altered(run: RunFolder, url: str, sha256: str, entry: Entry) -> None:
    if sha256 != entry["sha256"]:
        raise PublishError(
            f"{url}: is not what was written (sha256 differs); check the disk, "
            f"remove {run.temporary} and run again"
        )
