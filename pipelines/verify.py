"""Check a published run: `python -m pipelines.verify OUTPUT`.

Exit status 0 when all is as its manifest says, else 3.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
import os
from typing import Any, TypeAlias

import pyarrow as pa

from configs.errors import RowError, VerifyError
from pipelines.cli.command_line import run_program, say
from pipelines.cli.left_out import left_out_rows
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.readable import told_as_unreadable
from pipelines.cli.shutdown import end_process
from pipelines.reporting.written_page import find_page_problem, locate_report
from storage import files, inputs
from storage.input_version import is_folder_version, is_version_of
from storage.layout import (
    find_current_run,
    find_document,
    find_scored,
    is_published,
    list_below_scored,
    read_held,
    read_manifest,
)
from storage.output_names import REPORT, is_part
from storage.rooted import FileRoot
from storage.rooted_file import RootedFile
from storage.run_folder import FILE_LIST, LINK, RunFolder, is_plain
from transforms.batches import LEFT_OUT, ROW_COUNTS
from transforms.formats.file_list import FileList
from transforms.formats.output import find_output_format
from transforms.output.manifest import content_sha256, describe_schema
from transforms.output.part_file import count_rows

Manifest: TypeAlias = Mapping[str, Any]
# Of a file in the manifest, or of anything else that has books.
Entry: TypeAlias = Mapping[str, Any]
# A store answers in tens of milliseconds.
_THREADS = 8
_ELSEWHERE = "the link `current` does not lead to the run that CURRENT names"


def main(argv: Sequence[str]) -> int:
    """Verify as the command line says, and return the exit status."""
    arguments = _parse(argv)
    with told_as_unreadable(arguments.output):
        run, manifest = _read_documents(arguments.output, arguments.run)
        is_current = run.run_id == find_current_run(run.output)
        of_run = list(find_problems(run, manifest, is_current))
        of_page = list(find_report_problems(run))
    of_inputs = []
    if arguments.inputs:
        of_inputs = [*find_changed_inputs(manifest), *find_changed_files(run, manifest)]
    found = of_run + of_page + of_inputs
    if found:
        advice = _advise(run, of_run, of_inputs)
        raise VerifyError(f"{run.published}: {'; '.join(found)}{advice}")
    _say_verified(run, manifest, arguments.inputs)
    if not is_published(run):
        say("held back by its monitor, and not published: pipelines.release publishes or drops it")
    return 0


def _advise(run: RunFolder, of_run: Sequence[str], of_inputs: Sequence[str]) -> str:
    """Return what to do about problems; one of a page says it itself."""
    # While its manifest stands, the run is taken for published, and nothing is scored.
    if set(of_run) - {_ELSEWHERE}:
        return f"; move {run.published} away, and score the input again to publish it anew"
    return "; score the input again to publish it anew" if of_run or of_inputs else ""


def _read_documents(output: str, run_id: str | None) -> tuple[RunFolder, Manifest]:
    """Return a run and its manifest, or what will be that of a run that is held back."""
    if run_id is not None and is_plain(run_id):
        run = RunFolder(files.to_absolute(output), run_id)
        held = None if is_published(run) else read_held(run)
        if held is not None:
            return run, held
    return read_manifest(output, run_id)


def _say_verified(
    run: RunFolder,
    manifest: Manifest,
    with_inputs: bool,
) -> None:
    rows = manifest["rows"]
    file_count = len(manifest["files"])
    say(
        f"verified: run {run.run_id}, {file_count:,} files, "
        f"{rows['in']:,} rows in = {rows['scored']:,} scored + {rows['filtered']:,} filtered + "
        f"{rows['rejected']:,} rejected{left_out_rows(rows)}; every sha256, row count and schema is as published"
    )
    if with_inputs:
        named = ""
        if "listed_files" in manifest:
            named = f", and {manifest['listed_files']['files']:,} files that rows name,"
        print(
            f"inputs: {len(manifest['inputs']):,} files{named} are of the size, times and inode, or the "
            "entity tag, that they had when they were scored; their content was not read"
        )


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


def find_changed_inputs(manifest: Manifest) -> Iterator[str]:
    """Yield, in words, every input file that is not what it was when it was scored.

    By its version, and not by its content: to hash a Parquet file while it is scored takes nearly as
    long as to decode it, and a version holds times that no program sets back.

    Args:
        manifest: the run's.
    """
    urls: list[str] = []
    versions: list[str] = []
    try:
        for entry in manifest["inputs"]:
            # Of a folder, each of its files is looked at by itself.
            if is_folder_version(entry["version"]):
                continue
            urls.append(entry["url"])
            versions.append(entry["version"])
        # And those that were left out: one that was mended can be scored now.
        for entry in manifest.get("broken_shards", ()):
            if "version" in entry:
                urls.append(entry["url"])
                versions.append(entry["version"])
    except (KeyError, TypeError) as error:
        kind = type(error).__name__
        yield f"_manifest.json is not a manifest: {kind}: {error}"
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        problems = pool.map(_find_change, urls, versions)
        yield from (problem for problem in problems if problem is not None)


def find_changed_files(run: RunFolder, manifest: Manifest) -> Iterator[str]:
    """Yield, in words, every file that a row names and that is not what it was when it was scored.

    Args:
        run: the run.
        manifest: its manifest.
    """
    if "listed_files" not in manifest:
        return
    try:
        # As many at a time as there are in a part of the list, which may name millions.
        for root, listed in FileList(run.published_file_list).iterate_files():
            with ThreadPoolExecutor(_THREADS) as pool:
                problems = pool.map(partial(_find_change_below, FileRoot(root)), listed)
                yield from (problem for problem in problems if problem is not None)
    except (OSError, ValueError, pa.ArrowException) as error:
        kind = type(error).__name__
        yield f"{FILE_LIST}: cannot be read: {kind}"


def _find_change_below(root: FileRoot, file: RootedFile) -> str | None:
    place = f"file {root.url}/{file.name}"
    try:
        now = root.describe(file.name)
    except FileNotFoundError:
        return f"{place}: is gone"
    except (OSError, RowError) as error:
        reason = getattr(error, "strerror", None) or error
        return f"{place}: cannot be looked at: {reason}"
    if now.version != file.version:
        return f"{place}: changed since it was scored"
    return None


def _check_file_list(run: RunFolder, manifest: Manifest) -> Iterator[str]:
    entry = manifest.get("listed_files")
    if entry is None:
        return
    try:
        if files.compute_sha256(run.published_file_list) != entry["sha256"]:
            yield f"{FILE_LIST}: its content was altered (sha256 differs)"
    except FileNotFoundError:
        yield f"{FILE_LIST}: is missing"


def _find_change(url: str, version: str) -> str | None:
    try:
        current = inputs.read_version(url)
    except OSError as error:
        return f"input {url}: cannot be looked at: {error.strerror}"
    if current is None:
        return f"input {url}: is gone"
    if not is_version_of(current, version):
        return f"input {url}: changed since it was scored"
    return None


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


def _check_link(run: RunFolder, manifest: Manifest) -> Iterator[str]:
    link = files.join(run.output, LINK)
    # There are no links in a store.
    if not files.is_local(link):
        return
    target = os.path.realpath(link)
    if target != os.path.realpath(find_scored(run, manifest)):
        yield _ELSEWHERE


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.verify",
        "Check that a published run is what its manifest says.",
        EXIT_STATUSES,
    )
    parser.add_argument("output", metavar="OUTPUT", help="output folder of pipelines.score")
    parser.add_argument("--run", metavar="RUN_ID", help="another run than the current one")
    inputs_too = "check too that no input file changed since (size, times and inode, or entity tag)"
    parser.add_argument("--inputs", action="store_true", help=inputs_too)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser.parse_whole(argv)


if __name__ == "__main__":
    end_process(run_program(main))
