"""In what the folder of a run differs from its manifest: books, digests, rows, schemas, strays, its page."""

from collections.abc import Iterator, Mapping, Sequence
import os
from typing import Any, TypeAlias

import pyarrow as pa

from pipelines.reporting.written_page import find_page_problem, locate_report
from storage import files
from storage.layout import find_document, find_scored, list_below_scored
from storage.output_names import REPORT, is_part
from storage.run_folder import FILE_LIST, LINK, RunFolder
from transforms.batches import LEFT_OUT, ROW_COUNTS
from transforms.formats.output import find_output_format
from transforms.output.manifest import content_sha256, describe_schema
from transforms.output.part_file import count_rows

Manifest: TypeAlias = Mapping[str, Any]
# Of a file in the manifest, or of anything else that has books.
Entry: TypeAlias = Mapping[str, Any]
ELSEWHERE = "the link `current` does not lead to the run that CURRENT names"


def find_problems(
    run: RunFolder,
    manifest: Manifest,
    is_current: bool,
) -> Iterator[str]:
    """Yield, in words, everything in which the run's folder differs from its manifest.

    Args:
        run: the run.
        manifest: its manifest, of which nothing is known but where its files are.
        is_current: whether CURRENT names it.
    """
    # A manifest that was altered may lack, or hold, anything.
    try:
        yield from _check_books(manifest)
        yield from _check_totals(manifest)
        yield from _check_broken(manifest)
        scored = manifest["files"]
        rejected = manifest["rejected_files"]
        shards = _list_shard_records(manifest)
        for entry in scored + rejected + shards + _list_summaries(manifest):
            yield from _check_content(run, entry)
        for entry in scored:
            yield from _check_schema(run, entry, manifest["schema"])
        yield from _find_strays(run, manifest)
        yield from _check_file_list(run, manifest)
        if is_current:
            yield from _check_link(run, manifest)
    except (KeyError, TypeError) as error:
        kind = type(error).__name__
        yield f"_manifest.json is not a manifest: {kind}: {error}"


def find_report_problems(run: RunFolder) -> Iterator[str]:
    """Yield, in words, why the page beside the manifest is none of this run's report, if there is one.

    Args:
        run: the run.
    """
    content = files.read(locate_report(run))
    document = find_document(run)
    if content is None or document is None:
        return
    problem = find_page_problem(content, files.compute_sha256(document))
    if problem is not None:
        yield (
            f"{REPORT}: {problem}; python -m pipelines.report {run.output} --run {run.run_id} "
            "draws it anew"
        )


def _check_books(manifest: Manifest) -> Iterator[str]:
    """Check that every row that came in is accounted for, in total and in every unit."""
    rows = manifest["rows"]
    if not _balance(rows):
        yield f"the books do not balance: {rows}"
    for unit in manifest["units"]:
        if _balance(unit):
            continue
        shard = unit["shard"]
        first_row = unit["first_row"]
        yield f"{shard} from row {first_row}: the books of this unit do not balance"


def _balance(rows: Entry) -> bool:
    scored: int = rows["scored"]
    # Jobs that read all rows leave none out.
    left_out = rows.get(LEFT_OUT, 0)
    accounted = scored + rows["filtered"] + rows["rejected"] + left_out
    return accounted == rows["in"]


def _check_totals(manifest: Manifest) -> Iterator[str]:
    """Check that units and files come to the totals."""
    rows = manifest["rows"]
    names = list(ROW_COUNTS)
    if LEFT_OUT in rows:
        names.append(LEFT_OUT)
    for name in names:
        total = rows[name]
        of_units = [unit[name] for unit in manifest["units"]]
        listed = sum(of_units)
        if listed != total:
            yield f"the units come to {listed} rows {name}, but the manifest's total is {total}"

    scored = manifest["files"]
    rejected = manifest["rejected_files"]
    yield from _check_files_total("scored", scored, rows)
    yield from _check_files_total("rejected", rejected, rows)
    beside = [*manifest.get("summary_parts", ()), *_list_shard_records(manifest)]
    digest = content_sha256(scored + rejected + beside)
    if digest != manifest["content_sha256"]:
        yield "the manifest's list of files was altered (content_sha256 differs)"


def _check_broken(manifest: Manifest) -> Iterator[str]:
    """Check that each broken shard of whose rows none has a record has one itself."""
    unknown = [shard for shard in manifest.get("broken_shards", ()) if shard["rows"] is None]
    recorded = sum(entry["rows"] for entry in _list_shard_records(manifest))
    if recorded != len(unknown):
        yield f"{len(unknown)} shards are lost without their rows, but {recorded} are recorded"


def _list_shard_records(manifest: Manifest) -> list[Entry]:
    """Return the files that name shards of which rows are lost; nothing of most jobs."""
    return list(manifest.get("rejected_shards", ()))


def _list_summaries(manifest: Manifest) -> list[Entry]:
    """Return what was computed beside the scores: of units, and merged; nothing of most jobs."""
    return [*manifest.get("summary_parts", ()), *manifest.get("summaries", ())]


def _check_files_total(
    name: str,
    entries: Sequence[Entry],
    rows: Entry,
) -> Iterator[str]:
    total = rows[name]
    listed = sum(entry["rows"] for entry in entries)
    if listed != total:
        yield f"the files hold {listed} {name} rows, but the manifest's total is {total}"


def _check_content(run: RunFolder, entry: Entry) -> Iterator[str]:
    path = entry["path"]
    rows = entry["rows"]
    url = f"{run.published}/{path}"
    try:
        if files.compute_sha256(url) != entry["sha256"]:
            yield f"{path}: its content was altered (sha256 differs)"
            return
        # Also where the digest is right: it is of whatever a faulty disk kept.
        held_rows = count_rows(url, _find_format(path))
        if held_rows != rows:
            yield f"{path}: does not hold {rows} rows"
    except FileNotFoundError:
        yield f"{path}: is missing"


def _check_schema(
    run: RunFolder,
    entry: Entry,
    schema: Sequence[Entry],
) -> Iterator[str]:
    path = entry["path"]
    url = f"{run.published}/{path}"
    try:
        with files.open_read(url) as file:
            output_format = find_output_format(_find_format(path))
            stored = output_format.read_schema(file)
    except (OSError, pa.ArrowException):
        # Told already, with its digest or as missing.
        return
    # A format such as CSV tells no types.
    if stored is not None and describe_schema(stored) != list(schema):
        yield f"{path}: its columns or their types are not those of the run"


def _find_format(path: str) -> str:
    return path.rsplit(".", 1)[1]


def _find_strays(run: RunFolder, manifest: Manifest) -> Iterator[str]:
    listed = {entry["path"] for entry in manifest["files"]}
    for name in files.list_names(run.published):
        if is_part(name) and name not in listed:
            yield f"{name}: is not in the manifest, but a reader of part-* would take it"
    # Some readers take whatever there is in the folder, hidden or not.
    for path in list_below_scored(run):
        if path not in listed:
            yield f"{path}: is not in the manifest, but a reader of the folder would take it"


def _check_file_list(run: RunFolder, manifest: Manifest) -> Iterator[str]:
    entry = manifest.get("listed_files")
    if entry is None:
        return
    try:
        if files.compute_sha256(run.published_file_list) != entry["sha256"]:
            yield f"{FILE_LIST}: its content was altered (sha256 differs)"
    except FileNotFoundError:
        yield f"{FILE_LIST}: is missing"


def _check_link(run: RunFolder, manifest: Manifest) -> Iterator[str]:
    link = files.join(run.output, LINK)
    # There are no links in a store.
    if not files.is_local(link):
        return
    target = os.path.realpath(link)
    if target != os.path.realpath(find_scored(run, manifest)):
        yield ELSEWHERE
