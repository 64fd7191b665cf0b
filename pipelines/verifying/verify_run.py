"""Verify a run: find what is not as its manifest says, and tell it, or that there is nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from configs.errors import VerifyError
from pipelines.cli.command_line import say
from pipelines.cli.left_out import left_out_rows
from pipelines.cli.readable import told_as_unreadable
from pipelines.verifying.changed_inputs import find_changed_files, find_changed_inputs
from pipelines.verifying.run_problems import ELSEWHERE, find_problems, find_report_problems
from storage import files
from storage.layout import find_current_run, is_published, read_held, read_manifest
from storage.run_folder import RunFolder, is_plain

Manifest: TypeAlias = Mapping[str, Any]


def verify_run(
    output: str,
    run_id: str | None,
    with_inputs: bool,
) -> None:
    """Tell that a run is what its manifest says.

    Args:
        output: the output folder.
        run_id: of the run; None for the current one.
        with_inputs: whether its input files are looked at, too.

    Raises:
        VerifyError: it is not, or cannot be read.
    """
    with told_as_unreadable(output):
        run, manifest = _read_documents(output, run_id)
        is_current = run.run_id == find_current_run(run.output)
        of_run = list(find_problems(run, manifest, is_current))
        of_page = list(find_report_problems(run))
    of_inputs = []
    if with_inputs:
        of_inputs = [*find_changed_inputs(manifest), *find_changed_files(run, manifest)]
    found = of_run + of_page + of_inputs
    if found:
        advice = _advise(run, of_run, of_inputs)
        raise VerifyError(f"{run.published}: {'; '.join(found)}{advice}")
    _say_verified(run, manifest, with_inputs)
    if not is_published(run):
        say("held back by its monitor, and not published: pipelines.release publishes or drops it")


def _advise(run: RunFolder, of_run: Sequence[str], of_inputs: Sequence[str]) -> str:
    """Return what to do about problems; one of a page says it itself."""
    # While its manifest stands, the run is taken for published, and nothing is scored.
    if set(of_run) - {ELSEWHERE}:
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
        say(
            f"inputs: {len(manifest['inputs']):,} files{named} are of the size, times and inode, or the "
            "entity tag, that they had when they were scored; their content was not read"
        )
